"""Checks of the arrays that layers are given: one sentence that names the argument, what came, and the cure.

    GRU: x must have dtype float32, got float64 (x.astype(np.float32), or dtype=np.float64 for the layer)

The op's own error would name the weight, which the user never passed; NumPy's, that a list has no shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn.ops.arrays import refuse_masked

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def check_array(
    layer: object,
    name: str,
    x: Any,
    axes: tuple[str, ...],
    size: int | None = None,
    dtype: np.dtype[Any] | None = None,
) -> None:
    """Refuse what is not a plain array of these axes, this last size and this dtype.

    axes: their symbols, where a first "..." stands for any number of axes; size None is any size of the last;
    dtype is the layer's, None for float32 or float64. Raises TypeError for another type or dtype, ValueError
    for another shape.

    >>> from weftnn.nn import Linear
    >>> check_array(Linear(3, 2), "x", [1.0, 2.0, 3.0], ("...", "I"), 3)
    Traceback (most recent call last):
    TypeError: Linear: x must be a NumPy array, got list (np.asarray(x, np.float32))
    """
    # A valid call ends here: a small layer takes microseconds.
    if (
        type(x) is np.ndarray
        and (x.dtype is dtype if dtype is not None else x.dtype in _FLOATS)
        and (x.ndim == len(axes) or (axes[0] == "..." and x.ndim >= len(axes) - 1))
        and (size is None or x.shape[-1] == size)
    ):
        return
    where = f"{type(layer).__name__}: {name}"
    check_plain(where, x, dtype or _FLOATS[0])
    if x.dtype != dtype if dtype is not None else x.dtype not in _FLOATS:
        or_layer = f", or dtype=np.{x.dtype} for the layer" if dtype and x.dtype in _FLOATS else ""
        wrong_dtype(where, x, dtype, or_layer)
    fits = x.ndim >= len(axes) - 1 if axes[0] == "..." else x.ndim == len(axes)
    if not fits or (size is not None and x.shape[-1] != size):
        expected = f"({', '.join(axes)})"
        if size is not None:
            expected = f"(..., {size})" if axes[0] == "..." else f"{expected} with {axes[-1]} = {size}"
        raise ValueError(f"{where} must be {expected}, got {x.shape}")


def check_plain(where: str, x: Any, dtype: npt.DTypeLike | None = None) -> None:
    """Refuse what is no NumPy array, or one whose mask no kernel would look at. `where` is "GRU: x"."""
    layer, name = where.rsplit(": ", 1)
    refuse_masked(layer, name, x)
    if isinstance(x, np.ndarray):
        return
    cure = f" (np.asarray({name}{'' if dtype is None else f', np.{np.dtype(dtype)}'}))"
    if not isinstance(x, (list, tuple)) and not hasattr(x, "__array__"):
        cure = ""
    raise TypeError(f"{where} must be a NumPy array, got {type(x).__name__}{cure}")


def wrong_dtype(where: str, x: npt.NDArray[Any], dtype: np.dtype[Any] | None, besides: str = "") -> None:
    """Refuse an array for its dtype."""
    name = where.rsplit(": ", 1)[-1]
    raise TypeError(
        f"{where} must have dtype {dtype or 'float32 or float64'}, got {x.dtype} "
        f"({name}.astype(np.{dtype or _FLOATS[0]}){besides})"
    )


def given_arrays(layer: object, names: tuple[str, ...], arrays: list[Any]) -> list[Any]:
    """The first of the arrays, or the first two and so on: those up to the last that is not None.

    Raises TypeError for a None before it: what follows would be taken for another argument.
    """
    count = max((place for place, array in enumerate(arrays, 1) if array is not None), default=1)
    for name, array in zip(names if count > 1 else ("x",), arrays[:count], strict=False):
        if array is None:
            raise TypeError(f"{type(layer).__name__}: {name} must be a NumPy array, got NoneType")
    return arrays[:count]


def check_mask(layer: object, name: str, mask: Any, dtype: np.dtype[Any]) -> None:
    """Refuse what is no array of bools, or of floats to add to the scores."""
    if mask is None:
        return
    where = f"{type(layer).__name__}: {name}"
    check_plain(where, mask)
    if mask.dtype != np.bool_ and mask.dtype != dtype:
        raise TypeError(
            f"{where} must have dtype bool or {dtype}, got {mask.dtype} ({name}.astype(bool), True where a "
            f"step may read)"
        )


def check_integers(layer: object, name: str, x: Any) -> None:
    """Refuse what is neither an array of integers nor a list of them."""
    if type(x) is np.ndarray and x.dtype.kind in "iu":
        return
    where = f"{type(layer).__name__}: {name}"
    refuse_masked(type(layer).__name__, name, x)
    try:
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:  # a list of unequal rows, a tensor on a device
        raise TypeError(f"{where} must be of integers, got {type(x).__name__}: {error}") from error
    if array.dtype.kind not in "iu" and (array.size or array.dtype == object):
        got = array.dtype if isinstance(x, np.ndarray) else f"{type(x).__name__} of {array.dtype}"
        cure = f" ({name}.astype(np.int64))" if isinstance(x, np.ndarray) else ""
        raise TypeError(f"{where} must be of integers, got {got}{cure}")
