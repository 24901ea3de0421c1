"""Standardizer: every feature to mean 0 and standard deviation 1, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weftnn.data.batch import Array
from weftnn.ops.arrays import refuse_masked


class Standardizer:
    """z = (x - mean) / std, feature by feature; the last axis holds the features, a series [N] is one
    feature.

    Fit on the training part alone, then transform every part. A feature that never changes, but for the last
    digit or two of a float64, keeps std 1. Lists of sequences x_i[T_i,F] are treated as one. mean, std:
    float64[F]; all arithmetic is in float64, whatever the data's dtype.
    Raises ValueError for data that is empty, not finite, or of another number of features.

    >>> scale = Standardizer().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scale.transform(np.array([[3.0, 6.0]])).tolist()
    [[1.0, 1.0]]
    >>> scale.inverse(np.array([[1.0, 1.0]])).tolist()
    [[3.0, 6.0]]
    """

    def __init__(self) -> None:
        self.mean: Array | None = None
        self.std: Array | None = None

    def fit(self, x: Any) -> Standardizer:
        """Takes mean and standard deviation from x[...,F], or from a list of such; gives itself."""
        given = x if _is_ragged(x) else [x]
        for part in given:
            refuse_masked("Standardizer.fit", "x", part)
        parts = [np.asarray(part, dtype=np.float64) for part in given]
        rows = [part.reshape(-1, 1 if part.ndim == 1 else part.shape[-1]) for part in parts]
        if len({row.shape[1] for row in rows}) != 1:
            raise ValueError("Standardizer.fit: x must hold sequences of the same number of features")
        count = sum(len(row) for row in rows)
        if not count:
            raise ValueError("Standardizer.fit: x must not be empty")
        least, most = (
            pick([pick(row, axis=0) for row in rows if len(row)], axis=0) for pick in (np.min, np.max)
        )
        if not (np.isfinite(least).all() and np.isfinite(most).all()):
            raise ValueError("Standardizer.fit: x must be finite; it holds NaN or infinite values")
        # Each feature times a power of two that takes it within [-1, 1]: no sum and no square overflows.
        largest = np.maximum(np.abs(least), np.abs(most))
        exponent = np.frexp(largest)[1]
        rows = [np.ldexp(row, -exponent) for row in rows]
        mean, std = _mean_and_std(rows, count, np.ldexp(least, -exponent), np.ldexp(most, -exponent))
        changes = most / 2 - least / 2 > 2 * np.finfo(np.float64).eps * largest
        self.mean, self.std = np.ldexp(mean, exponent), np.where(changes, np.ldexp(std, exponent), 1.0)
        return self

    def transform(self, x: Any) -> Any:
        """(x - mean) / std; floats keep their dtype, a list gives a list."""
        mean, std = self._fitted("transform")
        if _is_ragged(x):
            return [self.transform(part) for part in x]
        x = self._checked("transform", x)
        # A mean rounded to x's dtype would leave its rounding in every difference.
        return ((x - mean) / std).astype(x.dtype)

    def inverse(self, z: Any) -> Any:
        """z std + mean: takes results back into the data's own units."""
        mean, std = self._fitted("inverse")
        if _is_ragged(z):
            return [self.inverse(part) for part in z]
        z = self._checked("inverse", z)
        return (z * std + mean).astype(z.dtype)

    def state_dict(self) -> dict[str, Array]:
        """mean and std, to keep beside a model."""
        mean, std = self._fitted("state_dict")
        return {"mean": mean.copy(), "std": std.copy()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave."""
        mean, std = (np.array(state[name], dtype=np.float64) for name in ("mean", "std"))
        if mean.ndim != 1 or mean.shape != std.shape:
            raise ValueError(
                "Standardizer.load_state_dict: mean and std must be [F] both, "
                f"got {mean.shape} and {std.shape}"
            )
        self.mean, self.std = mean, std

    def _fitted(self, method: str) -> tuple[Array, Array]:
        if self.mean is None or self.std is None:
            raise RuntimeError(f"Standardizer.{method}: call fit first")
        return self.mean, self.std

    def _checked(self, method: str, x: Any) -> Array:
        refuse_masked(f"Standardizer.{method}", "x", x)
        array = np.asarray(x)
        if array.dtype.kind != "f":
            array = array.astype(np.float64)
        mean, _ = self._fitted(method)
        if mean.size > 1 and (array.ndim == 0 or array.shape[-1] != mean.size):
            raise ValueError(
                f"Standardizer.{method}: the last axis must be F = {mean.size}, got shape {array.shape}"
            )
        return array


def _mean_and_std(rows: list[Array], count: int, least: Array, most: Array) -> tuple[Array, Array]:
    """Of the features of all rows together.

    Differences are from a mean that has been rounded, but not out of the feature's range: what they are off
    by is measured, and is zero where all values are equal.
    """
    near = np.clip(sum(row.sum(axis=0) for row in rows) / count, least, most)
    rest = sum((row - near).sum(axis=0) for row in rows) / count
    variance = sum(np.square(row - near).sum(axis=0) for row in rows) / count - np.square(rest)
    return near + rest, np.sqrt(np.maximum(variance, 0))


def _is_ragged(x: Any) -> bool:
    """Whether x is a list of sequences and not one array."""
    return isinstance(x, Sequence) and len(x) > 0 and isinstance(x[0], np.ndarray)
