"""Losses that are a function of each element of prediction and target.

    loss = sum of w l(p, t)
    dp   = dloss w dl/dp

A loss's `value` is l, its `slope` dl/dp. The sum is in float64. It is infinite only if the loss is: where a
step of the computation overflows, it is repeated in a wider type.
"""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_number
from weftnn.nn.backprop import check_like
from weftnn.nn.losses.loss import Loss, LossBackprop
from weftnn.nn.parameter import Array
from weftnn.ops.arrays import refuse_masked
from weftnn.ops.element_weights import element_weights

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


class ElementwiseLoss(Loss):
    """Base of the losses that are a function of each element: a `value` and its `slope`.

    prediction, target of one shape and dtype; weight of that shape or of its leading axes.
    """

    def value(self, p: Floats, t: Floats) -> Floats:
        """l(p, t), element by element, in the type of the arguments or a wider one."""
        raise NotImplementedError

    def slope(self, p: Floats, t: Floats) -> Floats:
        """dl/dp, element by element."""
        raise NotImplementedError

    def __call__(
        self, prediction: Array, target: Array, weight: npt.ArrayLike | None = None
    ) -> tuple[Any, LossBackprop]:
        loss, p, t, share = self._forward(prediction, target, weight)
        dtype = prediction.dtype

        def backprop(dloss: Array) -> Any:
            w = share * dloss  # loss = sum of value(p, t) * share
            with np.errstate(over="ignore", invalid="ignore"):
                dprediction = self.slope(p, t) * w
                if not w.all():  # what counts for nothing is not multiplied: it may be NaN
                    dprediction = np.where(w, dprediction, dprediction.dtype.type(0))
                return np.asarray(dprediction, dtype)

        return loss, LossBackprop(self, backprop, loss if self.reduction == "none" else dtype.type(0))

    def predict(self, prediction: Array, target: Array, weight: npt.ArrayLike | None = None) -> Any:
        return self._forward(prediction, target, weight)[0]

    def _forward(
        self, prediction: Array, target: Array, weight: npt.ArrayLike | None
    ) -> tuple[Any, Floats, Floats, Floats]:
        """The loss; prediction and target, zero where they do not count; the elements' shares dL/dl.

        The three are in a wider type if the loss would have overflowed, or lost its digits, in their own.
        """
        self._check(prediction, target)
        share = self._share(weight, prediction)
        if not share.all():
            zero = prediction.dtype.type(0)
            prediction, target = np.where(share, prediction, zero), np.where(share, target, zero)
        given: tuple[Floats, Floats, Floats] = prediction, target, share
        with np.errstate(over="ignore", invalid="ignore"):
            loss = self._reduced(self.value(prediction, target) * share)
            if loss is None:
                wider = np.float64 if prediction.dtype == np.float32 else np.longdouble
                p, t, w = given = prediction.astype(wider), target.astype(wider), share.astype(wider)
                loss = self._reduced(self.value(p, t) * w, final=True)
            if self.reduction == "none":
                loss = np.asarray(loss, prediction.dtype)
        return loss, *given

    def _reduced(self, costs: Floats, final: bool = False) -> Any:
        """The sum of the costs, or they themselves; None if they are too large or small for their type."""
        if self.reduction == "none":
            return costs if final or np.isfinite(costs).all() else None
        total = costs.sum(dtype=np.result_type(costs, np.float64))
        smallest = np.finfo(costs.dtype).tiny * costs.size
        return float(total) if final or smallest <= abs(total) < np.inf else None

    def _check(self, prediction: Array, target: Array) -> None:
        name = type(self).__name__
        refuse_masked(name, "prediction", prediction)
        refuse_masked(name, "target", target)
        if not isinstance(prediction, np.ndarray) or prediction.dtype not in (np.float32, np.float64):
            kind = getattr(prediction, "dtype", type(prediction).__name__)
            raise TypeError(f"{name}: prediction must be a float32 or float64 array, got {kind}")
        check_like(f"{name}: target", target, prediction)

    def _share(self, weight: npt.ArrayLike | None, prediction: Array) -> Array:
        """dL/dl: the weights, for a mean divided by their sum; divided in float64, which holds the sum."""
        weight = element_weights(type(self).__name__, 1 if weight is None else weight, prediction.shape)
        divisor = self._divisor(weight, prediction)
        share = np.divide(weight, divisor, dtype=np.float64) if divisor else np.zeros(weight.shape)
        return share.astype(prediction.dtype)

    def _divisor(self, weight: Array, prediction: Array) -> float:
        if self.reduction != "mean":
            return 1.0
        return float(weight.sum(dtype=np.float64)) * (prediction.size / weight.size if weight.size else 1.0)


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
        near = np.minimum(far, far.dtype.type(self.delta))
        return cast(Floats, near * (far - near / 2))

    def slope(self, p: Floats, t: Floats) -> Floats:
        delta = p.dtype.type(self.delta)
        return np.clip(p - t, -delta, delta)


class BCEWithLogitsLoss(ElementwiseLoss):
    """Binary cross-entropy of sigmoid(p): l = -(a t log sigmoid(p) + (1 - t) log sigmoid(-p)).

    Exact for p of any size, infinite too: computed in float64, from terms that are all >= 0. target within
    0..1; a is `pos_weight`, a number or an array for the last axis.

    >>> round(BCEWithLogitsLoss().predict(np.array([0.0, 1000.0]), np.array([1.0, 1.0])), 4)  # log 2 / 2
    0.3466
    """

    def __init__(self, pos_weight: npt.ArrayLike = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        refuse_masked("BCEWithLogitsLoss", "pos_weight", pos_weight)
        self.pos_weight = np.asarray(pos_weight, np.float64)
        if self.pos_weight.ndim > 1 or not ((self.pos_weight >= 0) & np.isfinite(self.pos_weight)).all():
            raise ValueError(
                "BCEWithLogitsLoss: pos_weight must be finite numbers >= 0 for the last axis, "
                f"got {pos_weight!r}"
            )

    def value(self, p: Floats, t: Floats) -> Floats:
        # -log sigmoid(p) = max(-p, 0) + log(1 + exp(-|p|)), the same with -p for the other class
        p, t = _in_float64(p), _in_float64(t)
        both = np.log1p(np.exp(-np.abs(p)))
        return _share_of(self.pos_weight * t, np.maximum(-p, 0) + both) + _share_of(
            1 - t, np.maximum(p, 0) + both
        )

    def slope(self, p: Floats, t: Floats) -> Floats:
        # sigmoid(p) = 1 / (1 + exp(-p)) = exp(p) / (1 + exp(p)): the exponent that is not above 0
        p, t = _in_float64(p), _in_float64(t)
        small = np.exp(-np.abs(p))
        one, zero = np.where(p >= 0, 1, small) / (1 + small), np.where(p >= 0, small, 1) / (1 + small)
        return cast(Floats, (1 - t) * one - self.pos_weight * t * zero)

    def _check(self, prediction: Array, target: Array) -> None:
        super()._check(prediction, target)
        if self.pos_weight.size != 1 and self.pos_weight.shape != prediction.shape[-1:]:
            raise ValueError(
                f"BCEWithLogitsLoss: pos_weight must be a number or [C] = {prediction.shape[-1:]}, the "
                f"prediction's last axis, got {self.pos_weight.shape}"
            )


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
        if not isinstance(log_target, bool | np.bool_):
            raise TypeError(f"KLDivLoss: log_target must be True or False, got {log_target!r}")
        self.log_target = bool(log_target)

    def value(self, p: Floats, t: Floats) -> Floats:
        if self.log_target:
            return _share_of(np.exp(t), t - p)
        log_t = np.log(_in_float64(np.where(t > 0, t, t.dtype.type(1))))  # float32 would round it before - p
        return _share_of(t, log_t - p)

    def slope(self, p: Floats, t: Floats) -> Floats:
        return -np.exp(t) if self.log_target else -t

    def _divisor(self, weight: Array, prediction: Array) -> float:
        if self.reduction == "batchmean":
            return float(len(prediction)) or 1.0
        return super()._divisor(weight, prediction)


def _in_float64(x: Floats) -> Floats:
    """x in float64, or in its own type where that is wider."""
    return x.astype(np.result_type(x, np.float64), copy=False)


def _share_of(factor: Floats, x: Floats) -> Floats:
    """factor x, and 0 where the factor is 0: of an infinite cost too."""
    return np.multiply(factor, x, where=factor != 0, out=np.zeros_like(x))
