"""Learner: one update of the weights, from one or several segments.

    g = sum_i n_i dL_i/dw / sum_i n_i        over the segments i of an update
    g = clip(g)
    w = optimizer(w, g)

where L_i is the mean loss of n_i elements.

So accumulating over small batches gives the gradient of one large batch, however ragged they are. Norm and
clipping are of the parameters that the optimizer holds: what is frozen does not count.
"""

from __future__ import annotations

import math
from typing import Any

from weftnn import ops
from weftnn.data import Batch
from weftnn.data.batch import Array
from weftnn.optim import Optimizer, clip_grad_norm, clip_grad_value
from weftnn.train.meter import element_count
from weftnn.train.tbptt import Unroll


class Learner:
    """Adds up gradients (`learn`), then updates the weights (`update`)."""

    def __init__(
        self,
        unroll: Unroll,
        loss: Any,
        optimizer: Optimizer,
        *,
        accumulate: int,
        clip_norm: float | None,
        clip_value: float | None,
    ) -> None:
        self.unroll = unroll
        self.loss = loss
        self.optimizer = optimizer
        self.accumulate = accumulate
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.pending = 0
        self._parameters = unroll.model.parameters()
        self._is_sum = getattr(loss, "reduction", "mean") == "sum"
        self._unit = self._total = 0.0

    def learn(self, segment: Batch) -> tuple[float, float, Array]:
        """(mean loss, number of elements, prediction) of a segment, whose gradient is added to the others'.

        A loss that is not finite adds nothing.
        """
        if not self.pending:
            self._unit = self._total = 0.0
            for parameter in self._parameters:
                parameter.zero_grad()
        self.pending += 1
        prediction, backprop = self.unroll.forward(segment)
        loss, loss_backprop = self.loss(prediction, segment.y, segment.weight)
        value, count = float(loss), element_count(self.loss, segment)
        if math.isfinite(value):
            backprop(loss_backprop(self._share(count)))
        if self._is_sum:
            value = value / count if count else 0.0
        return value, count, prediction

    def _share(self, count: float) -> float:
        """How much of this segment's gradient is added: its elements, in units of the first segment's."""
        if self.accumulate == 1 or self._is_sum:
            return 1.0
        self._unit = self._unit or count
        share = count / self._unit if self._unit else 0.0
        self._total += share
        return share

    def update(self, lr: float) -> float:
        """One step of the optimizer; gives the gradient's norm before clipping by norm.

        A norm that is not finite changes no weight.
        """
        self.pending = 0
        if self._total not in (0.0, 1.0):
            for parameter in self._parameters:
                if parameter.grad is not None:
                    ops.scale_(parameter.grad, 1.0 / self._total)
        trained = self.optimizer.parameters
        if self.clip_value is not None or self.clip_norm is None:  # clipping by norm alone looks by itself
            norm = ops.grad_norm([parameter.grad for parameter in trained if parameter.grad is not None])
            if not math.isfinite(norm):
                return norm
        if self.clip_value is not None:
            clip_grad_value(trained, self.clip_value)
        if self.clip_norm is not None:
            norm = clip_grad_norm(trained, self.clip_norm)
            if not math.isfinite(norm):
                return norm
        self.optimizer.lr = lr
        self.optimizer.step()
        return norm
