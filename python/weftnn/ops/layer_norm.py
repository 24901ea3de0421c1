"""Layer normalization over the last axis, forward and backward.

    xhat = (x - mean) / sqrt(variance + eps)
    y    = xhat w + b
    dx   = (g - mean(g) - xhat mean(g xhat)) / sqrt(variance + eps)        g = dy w
    dw   = sum over rows of dy xhat        db = sum over rows of dy

D features (the last axis). Source: Ba, Kiros and Hinton, "Layer normalization", 2016.
"""

from __future__ import annotations

from typing import NamedTuple

from weftnn import _core
from weftnn.ops.arrays import (
    Array,
    as_rows,
    gradient_to_add_to,
    require_array,
    require_gradients,
    require_saved,
    require_shape,
)
from weftnn.ops.scalars import require_numbers


class LayerNormGrads(NamedTuple):
    """Gradients in the order of the forward's arguments; None where the argument was None."""

    dx: Array | None
    dweight: Array | None
    dbias: Array | None


class LayerNormSaved(NamedTuple):
    """What `layer_norm_backward` needs: the forward's arrays, not copied, and each row's statistics."""

    x: Array
    weight: Array | None
    has_bias: bool
    mean: Array
    inverse_deviation: Array


def layer_norm_forward(
    x: Array, weight: Array | None = None, bias: Array | None = None, *, eps: float = 1e-5
) -> tuple[Array, LayerNormSaved]:
    """Normalize the last axis: y = (x - mean) / sqrt(variance + eps) w + b, as (y[..., D], saved).

    The variance is the biased one, as in PyTorch.

    Args:
        x: [..., D], float32 or float64; all arrays share its dtype. Any strides.
        weight, bias: [D], or None for ones and zeros.
        eps: added to the variance, at least zero.

    Raises:
        ValueError: a shape does not fit, or eps is negative.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> y, saved = ops.layer_norm_forward(np.array([[1.0, 3.0]]), eps=0.0)
        >>> y
        array([[-1.,  1.]])
        >>> ops.layer_norm_backward(saved, np.array([[1.0, 0.0]])).dx
        array([[0., 0.]])
    """
    require_array("layer_norm_forward", "x", x, "(..., D)")
    try:
        y, mean, inverse_deviation = _core.layer_norm_forward(as_rows(x), weight, bias, eps)
    except TypeError:
        require_numbers("layer_norm_forward", eps=eps)
        raise
    return y.reshape(x.shape), LayerNormSaved(x, weight, bias is not None, mean, inverse_deviation)


def layer_norm_backward(
    saved: LayerNormSaved, dy: Array, *, accumulate: LayerNormGrads | None = None, need_dx: bool = True
) -> LayerNormGrads:
    """Gradients of `layer_norm_forward`, given dL/dy.

    With y = xhat w + b and g = dy w:

        dx = (g - mean(g) - xhat mean(g xhat)) / sqrt(variance + eps)
        dw = sum over rows of dy xhat
        db = sum over rows of dy

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dy: [..., D].
        accumulate: gradients whose dweight and dbias are added to in place, instead of new ones.
        need_dx: False skips dx and returns None for it.

    Raises:
        ValueError: a shape does not fit.
        TypeError: an argument is no array, or has another dtype.
    """
    operation = "layer_norm_backward"
    require_saved(operation, "layer_norm_forward", saved, LayerNormSaved)
    x, weight, has_bias, mean, inverse_deviation = saved
    require_shape(operation, "dy", dy, "(..., D)", x.shape)
    require_gradients(operation, "accumulate", accumulate, LayerNormGrads)
    given, shape = accumulate or LayerNormGrads(None, None, None), x.shape[-1:]
    dweight = dbias = None
    if weight is not None:
        dweight = gradient_to_add_to(operation, "dweight", given.dweight, "(D,)", shape, x.dtype)
    if has_bias:
        dbias = gradient_to_add_to(operation, "dbias", given.dbias, "(D,)", shape, x.dtype)
    dx: Array | None = _core.layer_norm_backward(
        as_rows(x), weight, mean, inverse_deviation, as_rows(dy), need_dx, dweight, dbias
    )
    return LayerNormGrads(None if dx is None else dx.reshape(x.shape), dweight, dbias)
