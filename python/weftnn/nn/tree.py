"""What a layer holds: the parameters and layers among its attributes, and in lists, tuples and dicts of them.

    self.scale = Parameter(...)                  scale
    self.blocks = [[Linear(2, 2)]]               blocks.0.0.weight, blocks.0.0.bias
    self.heads = {"digit": Linear(2, 10)}        heads.digit.weight, heads.digit.bias

What cannot be named so is refused: a parameter that is not found is neither trained nor saved.
"""

from __future__ import annotations

from collections import UserDict, UserList, deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import numpy as np

from weftnn.nn.parameter import Parameter

Kind = TypeVar("Kind")


class Tree(Protocol):
    """What of a layer is seen by those whom Layer itself uses: they show or describe a model."""

    def children(self) -> Sequence[Tree]: ...
    def own_parameters(self) -> Iterator[tuple[str, Parameter]]: ...
    def named_layers(self) -> Iterator[tuple[str, Tree]]: ...
    def named_parameters(self) -> Iterator[tuple[str, Parameter]]: ...


# Of these the order or the names are not fixed, or not ours to walk.
_OTHER_CONTAINERS = (
    set,
    frozenset,
    deque,
    UserDict,
    UserList,
    MappingProxyType,
    KeysView,
    ValuesView,
    ItemsView,
)
# What most lists are of: a vocabulary has a hundred thousand words, and is walked at every zero_grad.
_PLAIN = frozenset((str, bytes, int, float, bool, complex, type(None)))


def members(
    where: str, attributes: Mapping[str, Any], kind: type[Kind]
) -> Iterator[tuple[str, Parameter | Kind]]:
    """(name, parameter or layer) of each that is in `attributes`, in their order. `kind` is Layer.

    Raises TypeError where one is in a set, an array of objects or under a key that is not a string, and
    ValueError for a key that is empty or holds a dot, and for a list or dict that holds itself.
    """
    for name, value in attributes.items():
        yield from _within(where, name, value, kind, ())


def _within(
    where: str, name: str, value: Any, kind: type[Kind], above: tuple[int, ...]
) -> Iterator[tuple[str, Parameter | Kind]]:
    if isinstance(value, (Parameter, kind)):
        yield name, value
        return
    objects = isinstance(value, np.ndarray) and value.dtype == object
    if not objects and not isinstance(value, (list, tuple, dict, *_OTHER_CONTAINERS)):
        return
    if id(value) in above:
        raise ValueError(f"{where}: {name} is a {type(value).__name__} that holds itself")
    above = (*above, id(value))
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            if type(item) not in _PLAIN:
                yield from _within(where, f"{name}.{index}", item, kind, above)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, (Parameter, kind)):
                _check_key(where, name, key)
            if type(item) in _PLAIN:
                continue
            for found in _within(where, f"{name}.{key}", item, kind, above):
                _check_key(where, name, key)
                yield found
    else:
        items: Iterable[Any] = value.flat if objects else value
        if isinstance(value, Mapping):
            items = value.values()
        if any(True for item in items for _ in _within(where, name, item, kind, above)):
            raise TypeError(
                f"{where}: {name} must be a list, a tuple or a dict to hold parameters or layers, "
                f"got {type(value).__name__}"
            )


def _check_key(where: str, name: str, key: Any) -> None:
    """A key is a part of a parameter's name, between dots."""
    if not isinstance(key, str):
        raise TypeError(f"{where}: the keys of {name} must be strings, got {key!r}")
    if not key or "." in key:
        raise ValueError(f"{where}: the keys of {name} must be names without a dot, got {key!r}")
