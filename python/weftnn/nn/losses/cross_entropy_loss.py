"""Losses: how far a prediction is from its target, and the gradient of that.

    loss, backprop = loss_fn(prediction, target, weight=None)       dprediction = backprop(dloss=1.0)

The loss of an element is l(p, t), its weight w:
    reduction="sum"     sum of w l
    reduction="mean"    sum of w l / sum of w
    reduction="none"    w l
The weight has the shape of the elements or of their leading axes: (B,) weights rows, (B, T) steps. Elements
of weight 0, such as padding, are not read and may be NaN. If the weights sum to 0, the mean is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_choice, check_count, check_number
from weftnn.nn.backprop import Backprop
from weftnn.nn.parameter import Array
from weftnn.ops.arrays import refuse_masked
from weftnn.ops.element_weights import element_weights


class LossBackprop(Backprop):
    """`dprediction = backprop(dloss=1.0)`, once; dloss is a number, or for reduction "none" an array."""

    def __call__(self, dloss: Any = 1.0) -> Any:
        refuse_masked(f"{self._layer.__name__}.backprop", "dloss", dloss)
        dloss = np.asarray(dloss, self._y.dtype)
        return self._taken(("dloss", dloss, self._y))(dloss)


class Loss:
    """Base of the losses. loss is a float, or an array for reduction "none".

    Raises ValueError for shapes and reductions that do not fit, TypeError for dtypes.
    """

    reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = check_choice(type(self).__name__, "reduction", reduction, self.reductions)

    def __call__(
        self, prediction: Array, target: Array, weight: npt.ArrayLike | None = None
    ) -> tuple[Any, LossBackprop]:
        raise NotImplementedError

    def predict(self, prediction: Array, target: Array, weight: npt.ArrayLike | None = None) -> Any:
        """The loss alone."""
        return self(prediction, target, weight)[0]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(reduction={self.reduction!r})"


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
