"""The backprop function of one call of a layer. It checks its argument, runs once, and frees what it held.

    y, backprop = layer(x)                      dx = backprop(dy)
    (y, state), backprop = layer(x, state)      dx, dstate = backprop(dy, dstate)       None means zero

A layer writes its backward as a plain function beside its forward, and wraps it here together with the
results whose shapes the gradients must have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from weftnn.nn.inputs import check_plain, wrong_dtype
from weftnn.nn.parameter import Array

State: TypeAlias = Any  # an array or a tuple of states; the layer's docstring says which


class Outline:
    """The shape and dtype of a result: what its gradient must have."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = shape
        self.dtype = dtype


class Backprop:
    """`dx = backprop(dy)`: dy has the shape and dtype of the layer's result; parts of a tuple may be None.

    Raises ValueError for another shape, TypeError for another dtype, RuntimeError on a second call. A call
    that was refused does not count: the right gradient may still follow.
    """

    __slots__ = ("_argument", "_function", "_layer", "_y")

    def __init__(self, layer: object, function: Callable[..., Any], y: State, argument: str = "dy") -> None:
        self._layer = type(layer)
        self._argument = argument
        self._function: Callable[..., Any] | None = function
        self._y = _outline(y)

    def __call__(self, dy: State) -> Any:
        function = self._taken((self._argument, dy, self._y))
        return function(dy)

    def _taken(self, *checks: tuple[str, State, State]) -> Callable[..., Any]:
        """The function, for its only call: what it closed over goes free when it returns."""
        function = self._function
        if function is None:
            raise RuntimeError(
                f"{self._layer.__name__}.backprop: called a second time, but it runs once and frees what it "
                "held; call the layer again for another backward pass"
            )
        for name, gradient, like in checks:
            if not is_like(gradient, like):
                check_like(f"{self._layer.__name__}.backprop: {name}", gradient, like)
        self._function = None
        return function


class StatefulBackprop(Backprop):
    """`dx, dstate = backprop(dy=None, dstate=None)`: dstate has the last state's form; None means zero."""

    __slots__ = ("_state",)

    def __init__(self, layer: object, function: Callable[[Any, Any], Any], y: Array, state: State) -> None:
        super().__init__(layer, function, y)
        self._state = _outline(state)

    def __call__(self, dy: Array | None = None, dstate: State = None) -> Any:
        checks = []
        if dy is not None:
            checks.append(("dy", dy, self._y))
        if dstate is not None:
            checks.append(("dstate", dstate, self._state))
        function = self._taken(*checks)
        return function(dy, dstate)


def is_like(value: State, like: State) -> bool:
    """Whether a value is in form, shape and dtype like another; parts of a tuple may be None."""
    if isinstance(like, tuple):
        return (
            isinstance(value, tuple | list)
            and len(value) == len(like)
            and all(part is None or is_like(part, of) for part, of in zip(value, like, strict=True))
        )
    return type(value) is np.ndarray and value.shape == like.shape and bool(value.dtype == like.dtype)


def check_like(where: str, value: State, like: State) -> None:
    """Refuse a value that is not in form, shape and dtype like another: `is_like`, in words."""
    if isinstance(like, tuple):
        if not isinstance(value, tuple | list) or len(value) != len(like):
            got = f"{len(value)}" if isinstance(value, tuple | list) else type(value).__name__
            raise ValueError(f"{where} must be a tuple of {len(like)}, got {got}")
        for index, (part, part_like) in enumerate(zip(value, like, strict=True)):
            if part is not None:
                check_like(f"{where}[{index}]", part, part_like)
        return
    check_plain(where, value, like.dtype)
    if value.shape != like.shape:
        raise ValueError(f"{where} must have shape {like.shape}, got {value.shape}")
    if value.dtype != like.dtype:
        wrong_dtype(where, value, like.dtype)


def _outline(value: State) -> State:
    if isinstance(value, tuple):
        return tuple([_outline(part) for part in value])
    if not isinstance(value, (np.ndarray, np.generic)):  # a scalar: a loss
        raise TypeError(f"Backprop: y must be an array or a tuple of arrays, got {type(value).__name__}")
    return Outline(value.shape, value.dtype)
