"""Layers, losses and their files. A call gives the result and the way back; composing is calling.

>>> import numpy as np
>>> from weft import nn
>>> model = nn.Sequential(nn.Embedding(256, 16), nn.GRU(16, 32), nn.Linear(32, 256))
>>> text = np.frombuffer(b"the thread that runs back and forth", np.uint8)[None]
>>> (scores, state), backprop = model(text[:, :-1])
>>> loss, loss_backprop = nn.CrossEntropyLoss()(scores, text[:, 1:])
>>> dx, dstate = backprop(loss_backprop())  # every parameter of the model now has its .grad
"""

from weft.nn import init
from weft.nn.activations import GELU, ReLU, Sigmoid, SiLU, SwiGLU, Tanh
from weft.nn.additive_attention import AdditiveAttention
from weft.nn.alibi import ALiBi
from weft.nn.attention_positions import AttentionPositions
from weft.nn.backprop import Backprop, StatefulBackprop
from weft.nn.bidirectional import Bidirectional
from weft.nn.bilinear_attention import BilinearAttention
from weft.nn.dot_attention import DotAttention
from weft.nn.dropout import Dropout
from weft.nn.elementwise_losses import BCEWithLogitsLoss, HuberLoss, KLDivLoss, L1Loss, MSELoss
from weft.nn.embedding import Embedding
from weft.nn.feed_forward import FeedForward
from weft.nn.files import load, save
from weft.nn.graph import GraphWriter, NoNativeForm
from weft.nn.gru import GRU, GRUCell
from weft.nn.key_value_cache import KeyValueCache
from weft.nn.layer import Layer
from weft.nn.layer_norm import LayerNorm
from weft.nn.learned_positions import LearnedPositions
from weft.nn.linear import Linear
from weft.nn.losses import CrossEntropyLoss, Loss
from weft.nn.lstm import LSTM, LSTMCell
from weft.nn.multihead_attention import MultiheadAttention
from weft.nn.parameter import Parameter
from weft.nn.relative_positions import RelativePositions
from weft.nn.residual import Residual
from weft.nn.rnn import RNN, RNNCell
from weft.nn.rotary_positions import RotaryPositions
from weft.nn.sequential import Sequential
from weft.nn.sinusoidal_positions import SinusoidalPositions
from weft.nn.transformer import Transformer
from weft.nn.transformer_decoder import TransformerDecoder
from weft.nn.transformer_decoder_layer import DecoderCache, TransformerDecoderLayer
from weft.nn.transformer_encoder import TransformerEncoder
from weft.nn.transformer_encoder_layer import TransformerEncoderLayer

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
