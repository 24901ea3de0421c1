"""Softmax cross-entropy over the last axis, forward and backward.

    p    = softmax(z)                  q    = (1 - s) onehot(t) + s / V
    loss = -w sum_v q_v log p_v        dz_v = dloss w (p_v - q_v)

z logits, t the target class, w the element's weight, s label smoothing, V classes. Reductions over all
elements: "none", "sum", or "mean" = sum of losses / sum of the weights of the elements that are not ignored.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weftnn import _core
from weftnn.ops.arrays import (
    Array,
    as_contiguous,
    as_indices,
    as_rows,
    require_array,
    require_saved,
    require_shape,
)
from weftnn.ops.element_weights import element_weights
from weftnn.ops.scalars import require_integers, require_numbers


class CrossEntropySaved(NamedTuple):
    """What `softmax_cross_entropy_backward` needs: the forward's arrays, not copied, and each row's sums."""

    logits: Array
    targets: NDArray[np.int64]
    weight: Array | None
    normalizer: Array
    ignore_index: int
    label_smoothing: float
    reduction: str
    total_weight: float


def softmax_cross_entropy_forward(
    logits: Array,
    targets: Array,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    weight: Array | None = None,
    reduction: str = "mean",
) -> tuple[Any, CrossEntropySaved]:
    """The cross-entropy of softmax(logits) with the targets, as (loss, saved).

    Args:
        logits: [..., V], float32 or float64, any strides. Classes last, where PyTorch has them second.
        targets: [...], integers of any dtype, each in [0, V) or ignore_index.
        ignore_index: elements with this target are ignored, whatever their logits hold.
        label_smoothing: s in [0, 1].
        weight: [...] or its leading axes, of each element, row or step (not of each class); None for ones.
            Elements of weight zero are ignored, whatever their logits hold.
        reduction: "mean" or "sum" (a scalar of the logits' dtype, summed in double precision), or "none" (an
            array [...]). The mean is 0 where there is no weight at all.

    Raises:
        ValueError: a shape, a target (the message names the first bad one) or a value does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> loss, saved = ops.softmax_cross_entropy_forward(np.zeros((2, 4)), np.array([1, -100]))
        >>> print(loss.round(4))
        1.3863
        >>> ops.softmax_cross_entropy_backward(saved)
        array([[ 0.25, -0.75,  0.25,  0.25],
               [ 0.  ,  0.  ,  0.  ,  0.  ]])
    """
    operation = "softmax_cross_entropy_forward"
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{operation}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    require_array(operation, "logits", logits, "(..., V)")
    labels = as_indices(operation, "targets", targets)
    require_shape(operation, "targets", labels, "(...)", logits.shape[:-1])
    if weight is not None:
        require_array(operation, "weight", weight, "(...)")
        weight = element_weights(operation, weight, labels.shape)
        weight = as_contiguous(np.broadcast_to(weight, labels.shape))
    try:
        losses, normalizer, total, total_weight = _core.softmax_cross_entropy_forward(
            as_rows(logits), labels, weight, ignore_index, label_smoothing
        )
    except TypeError:
        require_integers(operation, ignore_index=ignore_index)
        require_numbers(operation, label_smoothing=label_smoothing)
        raise
    saved = CrossEntropySaved(
        logits, labels, weight, normalizer, ignore_index, label_smoothing, reduction, total_weight
    )
    if reduction == "none":
        return losses.reshape(labels.shape), saved
    if reduction == "mean":
        total = total / total_weight if total_weight != 0 else 0.0
    return logits.dtype.type(total), saved


def softmax_cross_entropy_backward(saved: CrossEntropySaved, dloss: Any = 1.0) -> Array:
    """dlogits[..., V] of `softmax_cross_entropy_forward`, given dL/dloss.

    With loss = -w sum_v q_v log p_v:  dz_v = dloss w (p_v - q_v), divided by the sum of weights for a mean.

    Args:
        saved: what forward returned; it may be used again, and the forward's arrays must be unchanged.
        dloss: a number; for reduction "none" an array [...] as well.

    Raises:
        ValueError: the shape of dloss does not fit.
        TypeError: dloss is neither a number nor such an array.
    """
    operation = "softmax_cross_entropy_backward"
    require_saved(operation, "softmax_cross_entropy_forward", saved, CrossEntropySaved)
    scale, dlosses = 1.0, None
    if np.ndim(dloss) == 0:
        try:
            scale = float(dloss)
        except (TypeError, ValueError):
            raise TypeError(f"{operation}: dloss must be a number, got {dloss!r}") from None
    else:
        expected = saved.targets.shape if saved.reduction == "none" else ()
        require_shape(operation, "dloss", dloss, "(...)" if expected else "a number, of shape", expected)
        dlosses = as_contiguous(dloss)
    if saved.reduction == "mean":
        scale = scale / saved.total_weight if saved.total_weight != 0 else 0.0
    dlogits: Array = _core.softmax_cross_entropy_backward(
        as_rows(saved.logits),
        saved.targets,
        saved.weight,
        saved.ignore_index,
        saved.label_smoothing,
        saved.normalizer,
        scale,
        dlosses,
    )
    return dlogits.reshape(saved.logits.shape)
