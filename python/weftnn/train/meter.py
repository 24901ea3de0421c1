"""Meter: means of the loss and of the metrics over what has passed since it was last emptied.

    mean = sum of count * value / sum of count

where count is the number of elements (by weight) that a batch's loss is the mean of. So the mean over batches
of any sizes is the mean over their elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from weftnn.data import Batch
from weftnn.data.batch import Array
from weftnn.ops.arrays import refuse_masked
from weftnn.ops.element_weights import element_weights
from weftnn.train.stored import any_number_of, count_of, mapping_of, number_of

Metric: TypeAlias = Callable[[Array, Array, Any], float]
FromLoss: TypeAlias = Callable[[float], float]


def element_count(loss: Any, batch: Batch) -> float:
    """What the batch's loss is a mean over: elements by weight, without those that the loss ignores."""
    if getattr(loss, "reduction", "mean") == "batchmean":
        return float(len(batch.x))
    y, weight = batch.y, batch.weight
    ignore = getattr(loss, "ignore_index", None)
    counted = y != ignore if ignore is not None and y.dtype.kind in "iu" else None
    if weight is None:
        return float(y.size if counted is None else np.count_nonzero(counted))
    if counted is not None:
        along = element_weights("Trainer", weight, y.shape)
        return float(np.where(counted, along, 0).sum(dtype=np.float64))
    return float(np.sum(weight, dtype=np.float64)) * (y.size / weight.size if weight.size else 1.0)


class Meter:
    """Sums up loss and metrics; `means` gives their means, and what is derived from the mean loss.

    metrics: name -> function(prediction, target, weight) -> float, averaged over elements like the loss;
        weight is None or an array of the target's shape.
    from_loss: name -> function(mean loss) -> float, such as bits per byte or perplexity.

    >>> meter = Meter({}, {"double": lambda loss: 2 * loss})
    >>> meter.add(loss=1.0, count=3.0, tokens=3)
    >>> meter.add(loss=5.0, count=1.0, tokens=1)
    >>> meter.means()
    {'loss': 2.0, 'double': 4.0}
    """

    def __init__(self, metrics: Mapping[str, Metric], from_loss: Mapping[str, FromLoss]) -> None:
        self.metrics = dict(metrics)
        self.from_loss = dict(from_loss)
        self.names = ("loss", *self.metrics, *self.from_loss)
        self.clear()

    def clear(self) -> None:
        """Empties the meter."""
        self.count = 0.0
        self.tokens = 0
        self.sums = dict.fromkeys(("loss", *self.metrics), 0.0)

    def add(self, loss: float, count: float, tokens: int, values: Mapping[str, float] | None = None) -> None:
        """Takes a batch's mean loss and metrics in."""
        self.count += count
        self.tokens += tokens
        if count:
            self.sums["loss"] += count * loss
            for name, value in (values or {}).items():
                self.sums[name] += count * float(value)

    def measure(self, prediction: Array, batch: Batch) -> dict[str, float]:
        """The metrics of a batch."""
        weight = batch.weight
        if weight is not None and self.metrics:
            weight = np.broadcast_to(element_weights("Trainer", weight, batch.y.shape), batch.y.shape)
        return {name: metric(prediction, batch.y, weight) for name, metric in self.metrics.items()}

    def means(self) -> dict[str, float]:
        """Every name's mean; an empty meter gives zeros."""
        means = {name: total / self.count if self.count else 0.0 for name, total in self.sums.items()}
        return means | {name: float(derive(means["loss"])) for name, derive in self.from_loss.items()}

    def state_dict(self) -> dict[str, Any]:
        """The sums, fit for JSON."""
        return {"count": self.count, "tokens": self.tokens, "sums": dict(self.sums)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave; metrics that are new start at zero.

        Nothing changes unless all of it is right.
        """
        count, tokens = number_of(state, "count", low=0), count_of(state, "tokens")
        stored = mapping_of(state, "sums")
        sums = {name: any_number_of(stored, name) for name in self.sums if name == "loss" or name in stored}
        self.count, self.tokens, self.sums = count, tokens, dict.fromkeys(self.sums, 0.0) | sums


def accuracy(prediction: Array, target: Array, weight: Array | None = None) -> float:
    """The share of targets whose class has the highest score; prediction [...,V], target [...].

    weight: like target or its first axes, [B] for rows, [B,T] for steps; None counts all alike. If the
    weights sum to 0, so is the share. Raises ValueError for shapes that do not fit together.

    >>> accuracy(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    0.5
    """
    refuse_masked("accuracy", "prediction", prediction)
    refuse_masked("accuracy", "target", target)
    target = np.asarray(target)
    if target.shape != prediction.shape[:-1]:
        raise ValueError(f"accuracy: target must be (...) = {prediction.shape[:-1]}, got {target.shape}")
    hits = prediction.argmax(axis=-1) == target
    counted = np.broadcast_to(
        element_weights("accuracy", 1 if weight is None else weight, hits.shape), hits.shape
    )
    total = float(counted.sum(dtype=np.float64))
    return float(counted[hits].sum(dtype=np.float64)) / total if total else 0.0
