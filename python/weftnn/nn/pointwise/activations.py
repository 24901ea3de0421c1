"""Activations: y = f(x), element by element but for SwiGLU. Backward: dx = dy f'(x).

    ReLU      max(x, 0)
    GELU      x Phi(x), with Phi the normal distribution function
              or x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 with approximate="tanh"
    SiLU      x sigmoid(x)
    Tanh      (exp(x) - exp(-x)) / (exp(x) + exp(-x))
    Sigmoid   1 / (1 + exp(-x))
    SwiGLU    a sigmoid(a) b, where x = [a; b] along the last axis

Hendrycks and Gimpel, "Gaussian error linear units", 2016 (GELU, SiLU); Shazeer, "GLU variants improve
transformer", 2020 (SwiGLU)
"""

from __future__ import annotations

from typing import Any

from weftnn import ops
from weftnn.arguments import check_choice
from weftnn.nn.backprop import Backprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array


class Activation(Layer):
    """Base of the activations: an op and its backward. x, y of any shape, float32 or float64."""

    reads = "step"
    kind: str  # what a model file calls it
    axes: tuple[str, ...] = ("...",)  # of x
    forward: Any
    backward: Any

    def __call__(self, x: Array) -> tuple[Array, Backprop]:
        check_array(self, "x", x, self.axes)
        y, saved = self.forward(x)
        return y, Backprop(self, lambda dy: self.backward(saved, dy), y)

    def predict(self, x: Array) -> Array:
        check_array(self, "x", x, self.axes)
        y: Array = self.forward(x)[0]
        return y

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("activation", kind=self.kind)


class ReLU(Activation):
    """max(x, 0)

    >>> import numpy as np
    >>> ReLU().predict(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    kind = "relu"
    forward = staticmethod(ops.relu_forward)
    backward = staticmethod(ops.relu_backward)


class GELU(Activation):
    """x Phi(x), or its approximation by a tanh if approximate="tanh". Raises ValueError for other words.

    >>> import numpy as np
    >>> GELU().predict(np.array([-1.0, 2.0])).round(4)
    array([-0.1587,  1.9545])
    """

    backward = staticmethod(ops.gelu_backward)

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = check_choice("GELU", "approximate", approximate, ("none", "tanh"))
        self.kind = "gelu" if approximate == "none" else "gelu_tanh"

    def forward(self, x: Array) -> tuple[Array, Any]:
        return ops.gelu_forward(x, self.approximate)

    def __repr__(self) -> str:
        return "GELU()" if self.approximate == "none" else f"GELU({self.approximate!r})"


class SiLU(Activation):
    """x sigmoid(x)

    >>> import numpy as np
    >>> SiLU().predict(np.array([-1.0, 2.0])).round(4)
    array([-0.2689,  1.7616])
    """

    kind = "silu"
    forward = staticmethod(ops.silu_forward)
    backward = staticmethod(ops.silu_backward)


class Tanh(Activation):
    """tanh(x)

    >>> import numpy as np
    >>> Tanh().predict(np.array([-1.0, 2.0])).round(4)
    array([-0.7616,  0.964 ])
    """

    kind = "tanh"
    forward = staticmethod(ops.tanh_forward)
    backward = staticmethod(ops.tanh_backward)


class Sigmoid(Activation):
    """1 / (1 + exp(-x))

    >>> import numpy as np
    >>> Sigmoid().predict(np.array([-1.0, 2.0])).round(4)
    array([0.2689, 0.8808])
    """

    kind = "sigmoid"
    forward = staticmethod(ops.sigmoid_forward)
    backward = staticmethod(ops.sigmoid_backward)


class SwiGLU(Activation):
    """silu(a) b, where x[..., 2F] = [a; b]: one half of the features is the gate of the other; y[..., F].

    Raises ValueError for an odd last axis.

    >>> import numpy as np
    >>> SwiGLU().predict(np.array([1.0, -1.0, 2.0, 2.0])).round(4)
    array([ 1.4621, -0.5379])
    """

    axes = ("...", "2F")
    forward = staticmethod(ops.swiglu_forward)
    backward = staticmethod(ops.swiglu_backward)

    def graph(self, writer: GraphWriter) -> Node:
        return writer.node("swiglu")
