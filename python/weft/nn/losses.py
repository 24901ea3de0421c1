"""Losses: what a prediction costs, and dL/d(prediction).

    loss, backprop = loss_fn(prediction, target, weight=None)       dprediction = backprop(dloss=1.0)

An element costs l(p, t), a loss's `value`, has the `slope` dl/dp, and counts by its weight w:
    reduction "sum"  sum of w l        "mean"  sum of w l / sum of w        "none"  w l
The weight has the shape of the prediction or of its leading axes (a weight a step, say). Where it is 0, as in
padding, nothing is looked at: there may be NaN. If nothing counts, the mean is 0. Sums are in float64.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from weft import ops
from weft.arguments import check_choice, check_count, check_number
from weft.nn.backprop import Backprop, check_like
from weft.nn.parameter import Array

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


class LossBackprop(Backprop):
    """`dprediction = backprop(dloss=1.0)`, once; dloss is a number, or for reduction "none" an array."""

    def __call__(self, dloss: Any = 1.0) -> Any:
        dloss = np.asarray(dloss, self._y.dtype)
        return self._taken(("dloss", dloss, self._y))(dloss)


class Loss:
    """Base of the losses. loss is a float, or an array for reduction "none".

    Raises ValueError for shapes and words that do not fit, TypeError for dtypes.
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
    """l = -sum_v q_v log softmax(p)_v: classes last, unlike PyTorch, whose classes come second.

    prediction[..., V] of unnormalised scores, target[...] of integers, weight[...]; with "none", loss[...].
    q is 1 at the target, mixed with label_smoothing of 1/V everywhere. Targets of ignore_index do not count.
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
        loss, saved = ops.softmax_cross_entropy_forward(
            prediction,
            target,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            weight=None if weight is None else np.asarray(weight, getattr(prediction, "dtype", None)),
            reduction=self.reduction,
        )

        def backprop(dloss: Array) -> Array:
            return ops.softmax_cross_entropy_backward(saved, dloss if dloss.ndim else float(dloss))

        y = np.asarray(loss, prediction.dtype)
        return loss if self.reduction == "none" else float(loss), LossBackprop(self, backprop, y)


class ElementwiseLoss(Loss):
    """Base of the losses that are a function of each element: a `value` and its `slope`.

    prediction, target of one shape and dtype; weight of that shape or of its leading axes.
    """

    def value(self, p: Floats, t: Floats) -> Floats:
        """l(p, t), element by element."""
        raise NotImplementedError

    def slope(self, p: Floats, t: Floats) -> Floats:
        """dl/dp, element by element."""
        raise NotImplementedError

    def __call__(
        self, prediction: Array, target: Array, weight: npt.ArrayLike | None = None
    ) -> tuple[Any, LossBackprop]:
        loss, p, t, share = self._forward(prediction, target, weight)

        def backprop(dloss: Array) -> Any:
            return self.slope(p, t) * (share * dloss)  # loss = sum of value(p, t) * share

        return loss, LossBackprop(self, backprop, np.asarray(loss, p.dtype))

    def predict(self, prediction: Array, target: Array, weight: npt.ArrayLike | None = None) -> Any:
        return self._forward(prediction, target, weight)[0]

    def _forward(
        self, prediction: Array, target: Array, weight: npt.ArrayLike | None
    ) -> tuple[Any, Array, Array, Array]:
        """The loss; prediction and target, zero where they do not count; the elements' shares dL/dl."""
        name = type(self).__name__
        if not isinstance(prediction, np.ndarray) or prediction.dtype not in (np.float32, np.float64):
            kind = getattr(prediction, "dtype", type(prediction).__name__)
            raise TypeError(f"{name}: prediction must be a float32 or float64 array, got {kind}")
        check_like(f"{name}: target", target, prediction)
        share = _along(name, weight, prediction)
        if not share.all():
            zero = prediction.dtype.type(0)
            prediction, target = np.where(share, prediction, zero), np.where(share, target, zero)
        share = share / share.dtype.type(self._divisor(share, prediction))
        loss = self.value(prediction, target) * share
        return (
            loss if self.reduction == "none" else float(loss.sum(dtype=np.float64)),
            prediction,
            target,
            share,
        )

    def _divisor(self, weight: Array, prediction: Array) -> float:
        if self.reduction != "mean":
            return 1.0
        return float(np.broadcast_to(weight, prediction.shape).sum(dtype=np.float64)) or 1.0


class MSELoss(ElementwiseLoss):
    """Squared error: l = (p - t)^2.

    >>> MSELoss().predict(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    2.0
    """

    def value(self, p: Floats, t: Floats) -> Floats:
        return np.square(p - t)

    def slope(self, p: Floats, t: Floats) -> Floats:
        return 2 * (p - t)


class L1Loss(ElementwiseLoss):
    """Absolute error (MAE): l = |p - t|, with slope 0 at p = t.

    >>> L1Loss().predict(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    1.0
    """

    def value(self, p: Floats, t: Floats) -> Floats:
        return np.abs(p - t)

    def slope(self, p: Floats, t: Floats) -> Floats:
        return np.sign(p - t)


class HuberLoss(ElementwiseLoss):
    """Squared near the target, linear far away: l = d^2 / 2 if |d| <= delta, else delta (|d| - delta / 2).

    d = p - t. Huber, "Robust estimation of a location parameter", 1964.

    >>> HuberLoss(reduction="none").predict(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    array([0.125, 2.5  ])
    """

    def __init__(self, delta: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.delta = check_number("HuberLoss", "delta", delta, above=0)

    def value(self, p: Floats, t: Floats) -> Floats:
        far = np.abs(p - t)
        near = np.minimum(far, self.delta)
        return near * (far - 0.5 * near)

    def slope(self, p: Floats, t: Floats) -> Floats:
        return np.clip(p - t, -self.delta, self.delta)


class BCEWithLogitsLoss(ElementwiseLoss):
    """Binary cross-entropy of sigmoid(p): l = -(a t log sigmoid(p) + (1 - t) log sigmoid(-p)).

    Exact for p of any size. target within 0..1; a is `pos_weight`, a number or an array for the last axis.

    >>> round(BCEWithLogitsLoss().predict(np.array([0.0, 1000.0]), np.array([1.0, 1.0])), 4)  # log 2 / 2
    0.3466
    """

    def __init__(self, pos_weight: npt.ArrayLike = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.pos_weight = np.asarray(pos_weight, np.float64)
        if self.pos_weight.ndim > 1 or not (self.pos_weight >= 0).all():
            raise ValueError(
                f"BCEWithLogitsLoss: pos_weight must be numbers >= 0 for the last axis, got {pos_weight!r}"
            )

    def value(self, p: Floats, t: Floats) -> Floats:
        # -log sigmoid(p) = log(1 + exp(-p)), and log sigmoid(-p) = log sigmoid(p) - p
        a = self.pos_weight.astype(p.dtype)
        return (1 - t) * p + (1 + (a - 1) * t) * np.logaddexp(0, -p).astype(p.dtype)

    def slope(self, p: Floats, t: Floats) -> Floats:
        a = self.pos_weight.astype(p.dtype)
        return (1 - t) - (1 + (a - 1) * t) * ops.sigmoid_forward(-p)[0]


class KLDivLoss(ElementwiseLoss):
    """Kullback-Leibler divergence KL(t || exp p), summed over the classes: l = t (log t - p), 0 where t = 0.

    prediction of log-probabilities; target of probabilities, or with `log_target` of their logarithms: l =
    exp(t) (t - p). As in PyTorch, "mean" is over the elements; the divergence proper, a mean over the first
    axis, is "batchmean".

    >>> p = np.log(np.array([[0.5, 0.5]]))
    >>> round(KLDivLoss(reduction="batchmean").predict(p, np.array([[1.0, 0.0]])), 4)  # log 2
    0.6931
    """

    reductions = ("mean", "sum", "none", "batchmean")

    def __init__(self, log_target: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def value(self, p: Floats, t: Floats) -> Floats:
        if self.log_target:
            return np.exp(t) * (t - p)
        return t * np.log(np.where(t > 0, t, 1)) - t * p

    def slope(self, p: Floats, t: Floats) -> Floats:
        return -np.exp(t) if self.log_target else -t

    def _divisor(self, weight: Array, prediction: Array) -> float:
        if self.reduction == "batchmean":
            return float(len(prediction)) or 1.0
        return super()._divisor(weight, prediction)


def _along(name: str, weight: npt.ArrayLike | None, prediction: Array) -> Array:
    """The weight with axes of length 1 added at the end, so that it broadcasts to the prediction."""
    weight = np.asarray(1 if weight is None else weight, prediction.dtype)
    if weight.shape != prediction.shape[: weight.ndim]:
        raise ValueError(
            f"{name}: weight must have the shape of the prediction or of its leading axes, "
            f"{prediction.shape}, got {weight.shape}"
        )
    return weight.reshape(*weight.shape, *[1] * (prediction.ndim - weight.ndim))
