"""Parameter: an array that is learned, beside the gradient that is accumulated for it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Seed: TypeAlias = "int | np.random.Generator | None"  # a string: numpy.random is loaded when it is used


class Parameter:
    """An array that is learned and its gradient.

    data: float32 or float64, C order, writeable; not copied if it is so already. It stays the same array for
        good: write into it, `parameter.data[...] = values`, and tied layers and optimizers see it.
    grad: dL/d(data), same shape and dtype, or None until a backward pass first adds to it.

    The same Parameter in two layers is a tied weight: both add to its gradient, an optimizer moves it once.

    >>> from weft.nn import Embedding, Linear, Sequential
    >>> encoder, decoder = Embedding(256, 64), Linear(64, 256)
    >>> decoder.weight = encoder.weight
    >>> len(Sequential(encoder, decoder).parameters())  # the shared weight and the bias
    2
    """

    __slots__ = ("_data", "grad")

    def __init__(self, data: npt.ArrayLike) -> None:
        self._data: Array = np.require(data, requirements=["C", "A", "W"])
        if self._data.dtype not in (np.float32, np.float64):
            raise TypeError(f"Parameter: data must be float32 or float64, got {self._data.dtype}")
        self.grad: Array | None = None

    @property
    def data(self) -> Array:
        return self._data

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @property
    def size(self) -> int:
        return self._data.size

    def gradient(self) -> Array:
        """The array that a backward pass adds to: `grad`, made of zeros on first use."""
        if self.grad is None:
            self.grad = np.zeros_like(self._data)
        return self.grad

    def zero_grad(self) -> None:
        """Set the gradient to zero in place: its memory serves the next step."""
        if self.grad is not None:
            self.grad[...] = 0

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"


def data_of(parameter: Parameter | None) -> Array | None:
    """What an op takes for an optional weight."""
    return None if parameter is None else parameter.data


def gradient_of(parameter: Parameter | None) -> Array | None:
    """What an op's `accumulate` takes for an optional weight."""
    return None if parameter is None else parameter.gradient()
