"""Batch, what one step of training or validation reads, and DataSource, what gives batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from weftnn.ops.arrays import refuse_masked
from weftnn.ops.element_weights import element_weights
from weftnn.ragged import check_lengths, check_resets

Array: TypeAlias = NDArray[Any]


@runtime_checkable
class DataSource(Protocol):
    """Batches by epoch, always the same for the same epoch, so that training can resume in the middle of one.

    `len(source)` is the number of batches in an epoch.
    """

    def batches(self, epoch: int, /) -> Iterator[Batch]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Inputs and targets of one step. B rows, T time steps.

    x: [B,T] of integers, [B,T,I], or [B,I] for a model without time; y: targets, [B,...].
    lengths: int[B], how many steps of each row are valid; later ones are not read and have no loss.
    resets: bool[B,T], True where a new sequence begins inside a row: after a `done`, not at it.
    weight: like y, or its first axes: [B] counts rows, [B,T] steps; how much each element counts in loss and
        metrics. With `lengths` and a target at every step it is made from them, or 0 past them if given.
    continues: the rows go on where those of the batch before ended, so the state carries over.

    Raises ValueError or TypeError where the shapes do not fit together.

    >>> batch = Batch(np.zeros((2, 3, 4)), np.zeros((2, 3, 1)), lengths=np.array([3, 1]))
    >>> batch.weight.astype(int).tolist(), batch.tokens
    ([[1, 1, 1], [1, 0, 0]], 4)
    """

    x: Array
    y: Array
    lengths: Array | None = None
    resets: Array | None = None
    weight: Array | None = None
    continues: bool = False

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            array = getattr(self, name)
            refuse_masked("Batch", name, array)
            if not isinstance(array, np.ndarray) or array.ndim < 1:
                raise TypeError(f"Batch: {name} must be an array of at least one axis, got {array!r:.80}")
        if len(self.x) != len(self.y):
            raise ValueError(f"Batch: y must have B = {len(self.x)} rows like x, got {len(self.y)}")
        steps = self.x.shape[:2]
        if len(steps) < 2 and not (self.lengths is None and self.resets is None):
            raise ValueError(f"Batch: x must be (B, T, ...) where lengths or resets are given, got {steps}")
        if self.lengths is not None:
            object.__setattr__(self, "lengths", check_lengths("Batch", self.lengths, *steps))
        if self.resets is not None:
            object.__setattr__(self, "resets", check_resets("Batch", self.resets, *steps))
        if self.weight is not None:
            if not isinstance(self.weight, np.ndarray):
                kind = type(self.weight).__name__
                raise TypeError(f"Batch: weight must be an array of numbers, got {kind}")
            element_weights("Batch", self.weight, self.y.shape)
        if self.lengths is not None and self.y.shape[:2] == steps and len(steps) == 2:
            object.__setattr__(self, "weight", _without_padding(self.weight, self.y.shape, self.lengths))

    @property
    def tokens(self) -> int:
        """The time steps that hold data; the rows, where there is no time."""
        if self.lengths is not None:
            return int(self.lengths.sum())
        timeless = self.x.ndim < 2 or (self.x.ndim == 2 and self.x.dtype.kind == "f")
        return len(self.x) if timeless else self.x.shape[0] * self.x.shape[1]


def _without_padding(weight: Array | None, shape: tuple[int, ...], lengths: Array) -> Array:
    """The weight [B,T,...] that is 0 past each row's end, from one that counts rows, steps or elements."""
    valid: Array = np.arange(shape[1]) < lengths[:, None]
    if weight is None:
        return valid
    leading = shape[: max(2, np.ndim(weight))]
    weight = element_weights("Batch", weight, leading)
    return np.where(element_weights("Batch", valid, leading), weight, weight.dtype.type(0))
