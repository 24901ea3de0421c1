"""Arrays as the kernels want them: leading axes folded into one, integers as int64, gradients to add to."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def refuse_masked(operation: str, name: str, array: Any) -> None:
    """Raise for a masked array: what is computed sees the numbers alone, those beneath the mask too."""
    # The type first: a call that is right need not load numpy.ma.
    if type(array) is not np.ndarray and isinstance(array, np.ma.MaskedArray):
        raise TypeError(
            f"{operation}: {name} must be a plain array, got a masked array, whose mask would be lost: give "
            "array.filled(0), and say by weights, lengths or a mask what counts"
        )


def require_array(operation: str, name: str, array: Any, axes: str) -> None:
    """Raise unless `array` is a NumPy array with the axes that `axes` spells: "(O, I)", "(..., I)"."""
    refuse_masked(operation, name, array)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{operation}: {name} must be a NumPy array, got {type(array).__name__}")
    count = 0 if axes == "(...)" else axes.count(",") + (not axes.endswith(",)"))
    enough = array.ndim >= count - 1 if axes.startswith("(...") else array.ndim == count
    if not enough:
        raise ValueError(f"{operation}: {name} must be {axes}, got shape {array.shape}")


def require_shape(operation: str, name: str, array: Any, axes: str, shape: tuple[int, ...]) -> None:
    """Raise unless `array` is a NumPy array of that shape."""
    refuse_masked(operation, name, array)
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{operation}: {name} must be a NumPy array, got {type(array).__name__}")
    if array.shape != shape:
        raise ValueError(f"{operation}: {name} must be {axes} = {shape}, got {array.shape}")


def as_rows(array: Array) -> Array:
    """[..., N] as a matrix: a view where strides allow it, else one copy."""
    if array.ndim == 2:
        return array
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def as_contiguous(array: Array) -> Array:
    """The array itself if it is C-contiguous and aligned, else a copy that is (a masked one stays masked)."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.array(array, order="C", subok=True)


def as_indices(operation: str, name: str, indices: Any) -> NDArray[np.int64]:
    """A copy of integers of any dtype as a C-contiguous int64 array: callers may reuse their buffers."""
    refuse_masked(operation, name, indices)
    try:
        array = np.asarray(indices)
    except (TypeError, ValueError, RuntimeError) as error:  # a list of unequal rows, a tensor on a device
        raise TypeError(f"{operation}: {name} must be integers, got {type(indices).__name__}") from error
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{operation}: {name} must be integers, got {array.dtype}")
    if array.dtype == np.uint64:
        # Beyond int64 nothing is a valid index: the largest int64 says so too.
        array = np.minimum(array, np.uint64(np.iinfo(np.int64).max))
    return array.astype(np.int64, order="C")


def gradient_to_add_to(
    operation: str, name: str, given: Array | None, axes: str, shape: tuple[int, ...], dtype: Any
) -> Array:
    """`given`, an array of an `accumulate=`, checked; or new zeros."""
    if given is None:
        return np.zeros(shape, dtype)
    require_shape(operation, f"accumulate.{name}", given, axes, shape)
    if given.dtype != dtype:
        raise TypeError(f"{operation}: accumulate.{name} must have dtype {dtype}, got {given.dtype}")
    return given


def require_gradients(operation: str, name: str, given: Any, kind: type) -> None:
    """Raise unless `given` is None or gradients of that kind."""
    if given is not None and not isinstance(given, kind):
        raise TypeError(f"{operation}: {name} must be {kind.__name__} or None, got {type(given).__name__}")


def require_saved(operation: str, forward: str, saved: Any, kind: type) -> None:
    """Raise unless `saved` is what `forward` returned."""
    if not isinstance(saved, kind):
        raise TypeError(f"{operation}: saved must be what {forward} returned, got {type(saved).__name__}")
