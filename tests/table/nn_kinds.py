"""The kinds of rows in the table of nn_cases.py, and how a layer of each kind is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from weftnn import nn


@dataclass(frozen=True)
class Read:
    """An option that is an array of this shape, with a gradient: it stands in the place of a state."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[Any], nn.Layer]
    x: Any = (3, 5, 2)
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, dtype: Any = np.float64) -> tuple[nn.Layer, np.ndarray]:
        """The layer, with no parameter at a special value, and an input."""
        layer = self.make(dtype)
        rng = np.random.default_rng(7)
        for parameter in layer.parameters():
            parameter.data[...] += rng.normal(0, 0.3, parameter.shape)
        x = rng.normal(0, 1, self.x).astype(dtype) if isinstance(self.x, tuple) else np.array(self.x)
        return layer, x


def flat(state: Any) -> list[np.ndarray]:
    """The arrays of a state, in order."""
    if isinstance(state, tuple):
        return [array for part in state for array in flat(part)]
    return [] if state is None else [state]


def like(state: Any, rng: np.random.Generator) -> Any:
    """A random state of the same form."""
    if isinstance(state, tuple):
        return tuple(like(part, rng) for part in state)
    return rng.normal(0, 0.7, state.shape).astype(state.dtype)


def initial_state(layer: nn.Layer, x: np.ndarray, options: dict[str, Any], rng: np.random.Generator) -> Any:
    """Random arrays that fit: a state, found by running the layer, or what it reads; None if neither."""
    if isinstance(layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell):
        return like(layer.predict(x), rng)
    if layer.stateful:
        return like(layer.predict(x, **options)[1], rng)
    return tuple(rng.normal(0, 0.7, read.shape).astype(x.dtype) for read in _reads(options)) or None


def predicted(layer: nn.Layer, x: np.ndarray, state: Any, options: dict[str, Any]) -> list[np.ndarray]:
    """What predict gives, as a list of arrays."""
    if isinstance(layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell):
        return flat(layer.predict(x, state))
    if layer.stateful:
        return flat(layer.predict(x, state, **options))
    return [layer.predict(x, **_given(x, state, options))]


def run(
    layer: nn.Layer, x: np.ndarray, state: Any, options: dict[str, Any]
) -> tuple[list[np.ndarray], Callable]:
    """Every kind of layer in one form: (outputs, back), back(douts) -> (dx, dstate arrays...)."""
    if isinstance(layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell):
        last, backprop = layer(x, state)

        def back(douts: list[np.ndarray]) -> list[Any]:
            dx, dstate = backprop(_form(last, douts))
            return [dx, *flat(dstate)]

        return flat(last), back
    if layer.stateful:
        (y, last), backprop = layer(x, state, **options)

        def back(douts: list[np.ndarray]) -> list[Any]:
            dx, dstate = backprop(douts[0], _form(last, douts[1:]))
            return [dx, *flat(dstate)]

        return [y, *flat(last)], back
    y, backprop = layer(x, **_given(x, state, options))

    def back_stateless(douts: list[np.ndarray]) -> list[Any]:
        dx = backprop(douts[0])
        return list(dx) if isinstance(dx, tuple) else [dx]

    return [y], back_stateless


def _reads(options: dict[str, Any]) -> list[Read]:
    return [value for value in options.values() if isinstance(value, Read)]


def _given(x: np.ndarray, state: Any, options: dict[str, Any]) -> dict[str, Any]:
    """A stateless layer's options, with the arrays of `state` (or ones) for those that are read."""
    arrays = iter(state or [np.ones(read.shape, x.dtype) for read in _reads(options)])
    return {
        name: next(arrays)
        if isinstance(value, Read)
        else value.astype(x.dtype)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else value
        for name, value in options.items()
    }


def _form(state: Any, arrays: list[np.ndarray]) -> Any:
    """The arrays in the state's form."""
    supply = iter(arrays)

    def fill(part: Any) -> Any:
        return tuple(fill(p) for p in part) if isinstance(part, tuple) else next(supply)

    return fill(state)
