"""Layers, losses and their files. A call returns the result and its backprop function.

>>> import numpy as np
>>> from weftnn import nn
>>> model = nn.Sequential(nn.Embedding(256, 16), nn.GRU(16, 32), nn.Linear(32, 256))
>>> text = np.frombuffer(b"the thread that runs back and forth", np.uint8)[None]
>>> (scores, state), backprop = model(text[:, :-1])
>>> loss, loss_backprop = nn.CrossEntropyLoss()(scores, text[:, 1:])
>>> dx, dstate = backprop(loss_backprop())  # every parameter of the model now has its .grad
"""

from weftnn.nn import init
from weftnn.nn.attention.additive_attention import AdditiveAttention
from weftnn.nn.attention.bilinear_attention import BilinearAttention
from weftnn.nn.attention.dot_attention import DotAttention
from weftnn.nn.attention.key_value_cache import KeyValueCache
from weftnn.nn.attention.multihead_attention import MultiheadAttention
from weftnn.nn.backprop import Backprop, StatefulBackprop
from weftnn.nn.combinators.bidirectional import Bidirectional
from weftnn.nn.combinators.residual import Residual
from weftnn.nn.combinators.sequential import Sequential
from weftnn.nn.dense.embedding import Embedding
from weftnn.nn.dense.layer_norm import LayerNorm
from weftnn.nn.dense.linear import Linear
from weftnn.nn.files import load, save
from weftnn.nn.graph import GraphWriter, NoNativeForm
from weftnn.nn.layer import Layer
from weftnn.nn.losses.cross_entropy_loss import CrossEntropyLoss
from weftnn.nn.losses.elementwise_losses import BCEWithLogitsLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss
from weftnn.nn.losses.loss import Loss
from weftnn.nn.parameter import Parameter
from weftnn.nn.pointwise.activations import GELU, ReLU, Sigmoid, SiLU, SwiGLU, Tanh
from weftnn.nn.pointwise.dropout import Dropout
from weftnn.nn.positions.alibi import ALiBi
from weftnn.nn.positions.attention_positions import AttentionPositions
from weftnn.nn.positions.learned_positions import LearnedPositions
from weftnn.nn.positions.relative_positions import RelativePositions
from weftnn.nn.positions.rotary_positions import RotaryPositions
from weftnn.nn.positions.sinusoidal_positions import SinusoidalPositions
from weftnn.nn.recurrent.gru import GRU, GRUCell
from weftnn.nn.recurrent.lstm import LSTM, LSTMCell
from weftnn.nn.recurrent.rnn import RNN, RNNCell
from weftnn.nn.transformer.feed_forward import FeedForward
from weftnn.nn.transformer.transformer import Transformer
from weftnn.nn.transformer.transformer_decoder import TransformerDecoder
from weftnn.nn.transformer.transformer_decoder_layer import DecoderCache, TransformerDecoderLayer
from weftnn.nn.transformer.transformer_encoder import TransformerEncoder
from weftnn.nn.transformer.transformer_encoder_layer import TransformerEncoderLayer

__all__ = [
    "GELU",
    "GRU",
    "LSTM",
    "RNN",
    "ALiBi",
    "AdditiveAttention",
    "AttentionPositions",
    "BCEWithLogitsLoss",
    "Backprop",
    "Bidirectional",
    "BilinearAttention",
    "CrossEntropyLoss",
    "DecoderCache",
    "DotAttention",
    "Dropout",
    "Embedding",
    "FeedForward",
    "GRUCell",
    "GraphWriter",
    "HuberLoss",
    "KLDivLoss",
    "KeyValueCache",
    "L1Loss",
    "LSTMCell",
    "Layer",
    "LayerNorm",
    "LearnedPositions",
    "Linear",
    "Loss",
    "MSELoss",
    "MultiheadAttention",
    "NoNativeForm",
    "Parameter",
    "RNNCell",
    "ReLU",
    "RelativePositions",
    "Residual",
    "RotaryPositions",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositions",
    "StatefulBackprop",
    "SwiGLU",
    "Tanh",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "init",
    "load",
    "save",
]
