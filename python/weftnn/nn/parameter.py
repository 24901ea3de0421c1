"""Parameter: an array that is learned, beside the gradient that is accumulated for it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from weftnn.ops.arrays import refuse_masked

Array: TypeAlias = npt.NDArray[Any]
Seed: TypeAlias = "int | np.random.Generator | None"  # a string: numpy.random is loaded when it is used


class Parameter:
    """An array that is learned and its gradient.

    data: float32 or float64, C order, aligned, writeable; copied only if it is not. It is the same array for
        the parameter's whole life, so tied layers and optimizers see every change. `parameter.data = values`
        writes into it, as `parameter.data[...] = values` and `parameter.data *= 0.5` do.
    grad: dL/d(data), same shape and dtype, or None until a backward pass first adds to it. An assigned array
        is kept, or copied if it is not as `data` must be.

    The same Parameter in two layers is a tied weight: both add to its gradient, and an optimizer updates it
    once. Copies and unpickled parameters can be trained, too. Raises TypeError for what is not an array of
    float32 or float64, and ValueError for another shape.

    >>> from weftnn.nn import Embedding, Linear, Sequential
    >>> encoder, decoder = Embedding(256, 64), Linear(64, 256)
    >>> decoder.weight = encoder.weight
    >>> len(Sequential(encoder, decoder).parameters())  # the shared weight and the bias
    2
    """

    __slots__ = ("_data", "_grad")

    def __init__(self, data: npt.ArrayLike) -> None:
        self._data: Array = _learnable("data", data)
        self._grad: Array | None = None

    @property
    def data(self) -> Array:
        return self._data

    @data.setter
    def data(self, values: npt.ArrayLike) -> None:
        if values is not self._data:  # as it is after `data *= 0.5`
            self._data[...] = self._like_data("data", values)

    @property
    def grad(self) -> Array | None:
        return self._grad

    @grad.setter
    def grad(self, values: npt.ArrayLike | None) -> None:
        if values is None:
            self._grad = None
        elif values is not self._grad:  # as it is after `grad *= 0.5`
            grad = self._like_data("grad", values)
            self._grad = grad.copy() if np.may_share_memory(grad, self._data) else grad

    def _like_data(self, name: str, values: npt.ArrayLike) -> Array:
        array = _learnable(name, values)
        if array.shape != self._data.shape:
            raise ValueError(f"Parameter: {name} must have shape {self._data.shape}, got {array.shape}")
        if array.dtype != self._data.dtype:
            raise TypeError(f"Parameter: {name} must have dtype {self._data.dtype}, got {array.dtype}")
        return array

    def __getstate__(self) -> tuple[Array, Array | None]:
        return self._data, self._grad

    def __setstate__(self, state: tuple[Array, Array | None]) -> None:
        """Buffers that come out of band are read-only, and those of a file or a socket misaligned."""
        data, grad = state
        self._data = _learnable("data", data)
        self._grad = None if grad is None else self._like_data("grad", grad)

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
        if self._grad is None:
            self._grad = np.zeros_like(self._data)
        return self._grad

    def zero_grad(self) -> None:
        """Set the gradient to zero in place: its memory serves the next step."""
        if self._grad is not None:
            self._grad[...] = 0

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.dtype})"


def _learnable(name: str, values: npt.ArrayLike) -> Array:
    """The array itself if it is what kernels write to, else a copy."""
    refuse_masked("Parameter", name, values)
    try:
        array: Array = np.require(values, requirements=["C", "A", "W", "E"])
    except (TypeError, ValueError) as error:  # rows of unequal lengths, a tensor that is on a device
        raise TypeError(
            f"Parameter: {name} must be an array, got {type(values).__name__}: {error}"
        ) from error
    if array.dtype not in (np.float32, np.float64):
        raise TypeError(f"Parameter: {name} must be float32 or float64, got {array.dtype}")
    return array


def data_of(parameter: Parameter | None) -> Array | None:
    """What an op takes for an optional weight."""
    return None if parameter is None else parameter.data


def gradient_of(parameter: Parameter | None) -> Array | None:
    """What an op's `accumulate` takes for an optional weight."""
    return None if parameter is None else parameter.gradient()
