"""Activations, each forward beside its backward.

    relu     y = max(x, 0)                         dx = dy [y > 0]
    gelu     y = x Phi(x)                          dx = dy (Phi(x) + x phi(x))
    silu     y = x sigmoid(x)                      dx = dy s (1 + x (1 - s)),  s = sigmoid(x)
    sigmoid  y = 1 / (1 + exp(-x))                 dx = dy y (1 - y)
    tanh     y = tanh(x)                           dx = dy (1 - y^2)

All take [...] of any shape and strides and return C-contiguous arrays; NaN goes through. Backward needs x
(gelu, silu) or y (the others), which `saved` holds, not copied where it is contiguous.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from weftnn import _core
from weftnn.ops.arrays import Array, as_contiguous, require_array, require_saved


class ActivationSaved(NamedTuple):
    """The activation's name, and its input or output."""

    activation: str
    kept: Array


def _contiguous(operation: str, name: str, array: Array) -> Array:
    require_array(operation, name, array, "(...)")
    return as_contiguous(array)


def _kept(operation: str, saved: Any) -> Array:
    """What the forward of the same activation saved."""
    activation = operation.removesuffix("_backward")
    require_saved(operation, f"{activation}_forward", saved, ActivationSaved)
    if not saved.activation.startswith(activation):
        raise TypeError(
            f"{operation}: saved must be what {activation}_forward returned, got {saved.activation}_forward's"
        )
    kept: Array = saved.kept
    return kept


def relu_forward(x: Array) -> tuple[Array, ActivationSaved]:
    """The rectifier: y = max(x, 0), as (y, saved).

    Raises:
        TypeError: x is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.relu_forward(np.array([-1.0, 2.0]))
        >>> y, ops.relu_backward(saved, np.array([3.0, 3.0]))
        (array([0., 2.]), array([0., 3.]))
    """
    y: Array = _core.relu_forward(_contiguous("relu_forward", "x", x))
    return y, ActivationSaved("relu", y)


def relu_backward(saved: ActivationSaved, dy: Array) -> Array:
    """dx = dy where y > 0, else 0; with y = max(x, 0). Raises ValueError or TypeError unless dy is like x."""
    kept = _kept("relu_backward", saved)
    dx: Array = _core.relu_backward(kept, _contiguous("relu_backward", "dy", dy))
    return dx


def gelu_forward(x: Array, approximate: str = "none") -> tuple[Array, ActivationSaved]:
    """The Gaussian error linear unit: y = x Phi(x), as (y, saved).

    `approximate="tanh"` is y = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2. Phi is the normal
    distribution. Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.

    Raises:
        ValueError: approximate is neither "none" nor "tanh".
        TypeError: x is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.gelu_forward(np.array([0.0, 1.0]))
        >>> y.round(4), ops.gelu_backward(saved, np.ones(2)).round(4)
        (array([0.    , 0.8413]), array([0.5   , 1.0833]))
    """
    if not isinstance(approximate, str) or approximate not in ("none", "tanh"):
        raise ValueError(f"gelu_forward: approximate must be 'none' or 'tanh', got {approximate!r}")
    x = _contiguous("gelu_forward", "x", x)
    if approximate == "tanh":
        return _core.gelu_tanh_forward(x), ActivationSaved("gelu_tanh", x)
    return _core.gelu_forward(x), ActivationSaved("gelu", x)


def gelu_backward(saved: ActivationSaved, dy: Array) -> Array:
    """dx = dy (Phi(x) + x phi(x)), with y = x Phi(x); the tanh form's derivative where forward used that.

    Raises ValueError or TypeError unless dy is like x.
    """
    kept = _kept("gelu_backward", saved)
    dy = _contiguous("gelu_backward", "dy", dy)
    backward = _core.gelu_tanh_backward if saved.activation == "gelu_tanh" else _core.gelu_backward
    dx: Array = backward(kept, dy)
    return dx


def silu_forward(x: Array) -> tuple[Array, ActivationSaved]:
    """The sigmoid linear unit (swish): y = x sigmoid(x), as (y, saved).

    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.

    Raises:
        TypeError: x is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.silu_forward(np.array([0.0, 1.0]))
        >>> y.round(4), ops.silu_backward(saved, np.ones(2)).round(4)
        (array([0.    , 0.7311]), array([0.5   , 0.9277]))
    """
    x = _contiguous("silu_forward", "x", x)
    return _core.silu_forward(x), ActivationSaved("silu", x)


def silu_backward(saved: ActivationSaved, dy: Array) -> Array:
    """dx = dy s (1 + x (1 - s)), with y = x s. Raises ValueError or TypeError unless dy is like x."""
    kept = _kept("silu_backward", saved)
    dx: Array = _core.silu_backward(kept, _contiguous("silu_backward", "dy", dy))
    return dx


def sigmoid_forward(x: Array) -> tuple[Array, ActivationSaved]:
    """The logistic function: y = 1 / (1 + exp(-x)), as (y, saved).

    Raises:
        TypeError: x is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.sigmoid_forward(np.array([0.0]))
        >>> y, ops.sigmoid_backward(saved, np.ones(1))
        (array([0.5]), array([0.25]))
    """
    y: Array = _core.sigmoid_forward(_contiguous("sigmoid_forward", "x", x))
    return y, ActivationSaved("sigmoid", y)


def sigmoid_backward(saved: ActivationSaved, dy: Array) -> Array:
    """dx = dy y (1 - y), with y = sigmoid(x). Raises ValueError or TypeError unless dy is like x."""
    kept = _kept("sigmoid_backward", saved)
    dx: Array = _core.sigmoid_backward(kept, _contiguous("sigmoid_backward", "dy", dy))
    return dx


def tanh_forward(x: Array) -> tuple[Array, ActivationSaved]:
    """The hyperbolic tangent: y = tanh(x), as (y, saved).

    Raises:
        TypeError: x is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.tanh_forward(np.array([0.0]))
        >>> y, ops.tanh_backward(saved, np.ones(1))
        (array([0.]), array([1.]))
    """
    y: Array = _core.tanh_forward(_contiguous("tanh_forward", "x", x))
    return y, ActivationSaved("tanh", y)


def tanh_backward(saved: ActivationSaved, dy: Array) -> Array:
    """dx = dy (1 - y^2), with y = tanh(x). Raises ValueError or TypeError unless dy is like x."""
    kept = _kept("tanh_backward", saved)
    dx: Array = _core.tanh_backward(kept, _contiguous("tanh_backward", "dy", dy))
    return dx
