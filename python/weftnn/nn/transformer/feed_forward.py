"""FeedForward: y = dropout(f(x W1ᵀ + b1)) W2ᵀ + b2 at each step.

Backward: the backprops of the four, last to first.    x, y[..., E]  W1[F, E], or [2F, E] for swiglu  W2[E, F]
Vaswani et al., "Attention is all you need", 2017
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_choice, check_count
from weftnn.nn.backprop import Backprop
from weftnn.nn.dense.linear import Linear
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Seed
from weftnn.nn.pointwise.activations import GELU, ReLU, SiLU, SwiGLU
from weftnn.nn.pointwise.dropout import Dropout

_ACTIVATIONS: dict[str, type[Layer]] = {"relu": ReLU, "gelu": GELU, "silu": SiLU, "swiglu": SwiGLU}


class FeedForward(Layer):
    """The position-wise feed-forward network of a transformer: linear1, an activation, dropout, linear2.

    activation: "relu", "gelu", "silu", "swiglu" (linear1 then gives 2 dim_feedforward features, the gate
    first), or a layer such as nn.GELU("tanh"). Raises ValueError for another word.

    >>> y, backprop = FeedForward(4, 16, activation="gelu")(np.ones((2, 5, 4), np.float32))
    >>> y.shape
    (2, 5, 4)
    """

    reads = "step"

    def __init__(
        self,
        d_model: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Layer = "relu",
        bias: bool = True,
        *,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        dim_feedforward = check_count(type(self).__name__, "dim_feedforward", dim_feedforward)
        if not isinstance(activation, Layer):
            activation = _ACTIVATIONS[check_choice("FeedForward", "activation", activation, _ACTIVATIONS)]()
        rng = np.random.default_rng(rng)
        halves = 2 if isinstance(activation, SwiGLU) else 1
        self.linear1 = Linear(d_model, halves * dim_feedforward, bias, dtype=dtype, rng=rng)
        self.activation = activation
        self.dropout = Dropout(dropout, rng=rng)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype, rng=rng)

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        self._check(x)
        hidden, back_linear1 = self.linear1(x)
        bent, back_activation = self.activation(hidden)
        kept, back_dropout = self.dropout(bent)
        y, back_linear2 = self.linear2(kept)

        def backprop(dy: Array) -> Array | None:
            dx: Array | None = back_linear1(back_activation(back_dropout(back_linear2(dy))))
            return dx

        return y, Backprop(self, backprop, y)

    def predict(self, x: Array) -> Array:
        self._check(x)
        return self.linear2.predict(self.activation.predict(self.linear1.predict(x)))

    def _check(self, x: Array) -> None:
        check_array(self, "x", x, ("...", "E"), self.linear1.in_features, self.linear1.weight.dtype)

    def graph(self, writer: GraphWriter) -> Node:
        return writer.sequence(self.linear1, self.activation, self.linear2)

    def __repr__(self) -> str:
        return f"FeedForward({self.linear1.in_features}, {self.linear2.in_features}, {self.activation!r})"
