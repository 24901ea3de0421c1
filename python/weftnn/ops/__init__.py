"""Pure functions on NumPy arrays, forward and backward: weft's kernels.

Results are the same bits for any number of threads. A row's results, and the gradients of its inputs, are
the same bits alone and in a batch of any size, on one instruction set; but dropout counts the elements of
the whole batch, and gradients of weights are sums over it.
"""

from weftnn.ops.activations import (
    gelu_backward,
    gelu_forward,
    relu_backward,
    relu_forward,
    sigmoid_backward,
    sigmoid_forward,
    silu_backward,
    silu_forward,
    tanh_backward,
    tanh_forward,
)
from weftnn.ops.additive_scores import (
    AdditiveScoresGrads,
    additive_scores_backward,
    additive_scores_forward,
)
from weftnn.ops.cross_entropy import softmax_cross_entropy_backward, softmax_cross_entropy_forward
from weftnn.ops.dropout import dropout_backward, dropout_forward
from weftnn.ops.embedding import EmbeddingGrads, embedding_backward, embedding_forward
from weftnn.ops.gru import GRUGrads, gru_backward, gru_forward
from weftnn.ops.layer_norm import LayerNormGrads, layer_norm_backward, layer_norm_forward
from weftnn.ops.linear import LinearGrads, linear_backward, linear_forward
from weftnn.ops.lstm import LSTMGrads, lstm_backward, lstm_forward
from weftnn.ops.recurrent import (
    RecurrentCall,
    cells,
    recurrent_backward,
    recurrent_backward_all,
    recurrent_forward,
    recurrent_forward_all,
)
from weftnn.ops.rnn import RNNGrads, rnn_backward, rnn_forward
from weftnn.ops.rotary import rotary_backward, rotary_forward
from weftnn.ops.sdpa import SDPAGrads, sdpa_backward, sdpa_forward
from weftnn.ops.swiglu import swiglu_backward, swiglu_forward
from weftnn.ops.updates import adagrad_update, adam_update, grad_norm, rmsprop_update, scale_, sgd_update

__all__ = [
    "AdditiveScoresGrads",
    "EmbeddingGrads",
    "GRUGrads",
    "LSTMGrads",
    "LayerNormGrads",
    "LinearGrads",
    "RNNGrads",
    "RecurrentCall",
    "SDPAGrads",
    "adagrad_update",
    "adam_update",
    "additive_scores_backward",
    "additive_scores_forward",
    "cells",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward",
    "embedding_forward",
    "gelu_backward",
    "gelu_forward",
    "grad_norm",
    "gru_backward",
    "gru_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "linear_backward",
    "linear_forward",
    "lstm_backward",
    "lstm_forward",
    "recurrent_backward",
    "recurrent_backward_all",
    "recurrent_forward",
    "recurrent_forward_all",
    "relu_backward",
    "relu_forward",
    "rmsprop_update",
    "rnn_backward",
    "rnn_forward",
    "rotary_backward",
    "rotary_forward",
    "scale_",
    "sdpa_backward",
    "sdpa_forward",
    "sgd_update",
    "sigmoid_backward",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax_cross_entropy_backward",
    "softmax_cross_entropy_forward",
    "swiglu_backward",
    "swiglu_forward",
    "tanh_backward",
    "tanh_forward",
]
