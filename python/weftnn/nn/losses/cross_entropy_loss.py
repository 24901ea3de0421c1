"""Cross-entropy of classes; the weights and reductions are every loss's (loss.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count, check_number
from weftnn.nn.losses.loss import Loss, LossBackprop
from weftnn.nn.parameter import Array
from weftnn.ops.element_weights import element_weights


class CrossEntropyLoss(Loss):
    """l = -sum_v q_v log softmax(p)_v, with the classes on the last axis (in PyTorch they are on the second).

    prediction[..., V] of unnormalized scores, target[...] of integers, weight[...] or its leading axes; with
    "none", loss[...].
    q is 1 at the target, mixed with label_smoothing of 1/V everywhere. Elements whose target is ignore_index
    are ignored.
    Raises ValueError for a target outside 0..V-1, and as every loss.

    >>> loss, backprop = CrossEntropyLoss()(np.zeros((5, 4), np.float32), np.array([0, 1, 2, 3, -100]))
    >>> dprediction = backprop()
    >>> round(loss, 4), dprediction[0].tolist()  # log 4
    (1.3863, [-0.1875, 0.0625, 0.0625, 0.0625])
    """

    def __init__(
        self, ignore_index: int = -100, label_smoothing: float = 0.0, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        name = "CrossEntropyLoss"
        self.ignore_index = check_count(name, "ignore_index", ignore_index, low=-(2**63))
        self.label_smoothing = check_number(name, "label_smoothing", label_smoothing, low=0, high=1)

    def __call__(
        self, prediction: Array, target: Array, weight: npt.ArrayLike | None = None
    ) -> tuple[Any, LossBackprop]:
        if weight is not None:
            element_weights("CrossEntropyLoss", weight, np.shape(target))
            weight = np.asarray(weight, getattr(prediction, "dtype", None))
        loss, saved = ops.softmax_cross_entropy_forward(
            prediction,
            target,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            weight=weight,
            reduction=self.reduction,
        )

        def backprop(dloss: Array) -> Array:
            return ops.softmax_cross_entropy_backward(saved, dloss if dloss.ndim else float(dloss))

        y = np.asarray(loss, prediction.dtype)
        return loss if self.reduction == "none" else float(loss), LossBackprop(self, backprop, y)
