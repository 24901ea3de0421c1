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

from weftnn.arguments import check_choice
from weftnn.nn.backprop import Backprop
from weftnn.nn.parameter import Array
from weftnn.ops.arrays import refuse_masked


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
