"""Layer: the base of all layers. A call returns the result and its backprop; predict returns the result.

    y, backprop = layer(x)                      dx = backprop(dy)
    y = layer.predict(x)

A stateful layer runs over sequences x[B,T,I] and also takes a state and gives the last one (None: zeros):

    (y, state), backprop = layer(x, state, lengths=None, resets=None)       dx, dstate = backprop(dy, dstate)
    y, state = layer.predict(x, state, lengths=None, resets=None)

A layer without a state may take lengths too, which `takes_lengths` says. `reads` says which steps it reads.
Sequential and the Trainer go by these two, and refuse a call whose result would be wrong.

backprop adds dL/dw to the `.grad` of the layer's parameters, and writes to no array that it was given. A
result may share memory with an argument (Dropout's predict returns x itself), so do not write to either.

A layer of one's own keeps Parameters and Layers as attributes (or in lists and dicts), has __call__ and
predict, and wraps its backward in weftnn.nn.Backprop (and `graph`, if native code shall run it):

>>> from weftnn.nn import Backprop, Parameter
>>> class Scale(Layer):
...     def __init__(self) -> None:
...         self.factor = Parameter(np.ones(1, np.float32))
...     def __call__(self, x):
...         def backprop(dy):
...             self.factor.gradient()[...] += (dy * x).sum()
...             return dy * self.factor.data
...         y = self.predict(x)
...         return y, Backprop(self, backprop, y)
...     def predict(self, x):
...         return x * self.factor.data
>>> Scale().state_dict()
{'factor': array([1.], dtype=float32)}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from weftnn.arguments import check_count
from weftnn.nn.graph import GraphWriter, Node, describe
from weftnn.nn.parameter import Array, Parameter, Seed
from weftnn.nn.summary import summarise
from weftnn.nn.tree import members


class Unmatched(NamedTuple):
    """Names that load_state_dict(strict=False) passed over."""

    missing: list[str]  # in the layer, not in the mapping
    unexpected: list[str]  # in the mapping, not in the layer


class Layer:
    """Base of the layers: finds parameters and children among the attributes, names, saves and loads them."""

    stateful: bool = False

    # Whether its call takes lengths[B] (y is then zero past a row's end, where nothing of x and dy is
    # read) and resets[B,T]. A stateful layer takes both.
    takes_lengths: bool = False
    takes_resets: bool = False

    # Whether it does nothing to sequences but what the layers inside it do: Sequential and Residual.
    transparent: bool = False

    # What a layer draws at random when it trains depends on these two alone; None: it draws nothing.
    seed: int | None = None
    calls: int = 0

    __call__: Callable[..., Any]
    predict: Callable[..., Any]

    # ---- sequences ----

    @property
    def reads(self) -> str | None:
        """Which steps of x[B,T,...] step t of y depends on: "step" (x[t] alone), "place" (also on t), "past"
        (no later ones) or "all". None: unknown, and refused where it matters (sequences.py).
        Your own layer sets it as an attribute of the class: `reads = "step"`.
        """
        return None

    def lengths_after(self, lengths: Array) -> Array | None:
        """The valid steps of each row of y[B,T,...], given those of x; None where y has no steps.

        For a layer that changes how many there are; y's first so many are valid.
        """
        return lengths

    # ---- the tree ----

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, _ in members(cls.__name__, vars(cls), Layer):
            raise TypeError(f"{cls.__name__}: {name} must be set in __init__, not in the class")

    def named_members(self) -> Iterator[tuple[str, Parameter | Layer]]:
        """(name, parameter or layer) of all that this layer holds directly, in lists and dicts too (tree.py).

        Everything that walks a model comes through here.
        """
        return members(type(self).__name__, vars(self), Layer)

    def own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter) of this layer without its children."""
        return ((name, value) for name, value in self.named_members() if isinstance(value, Parameter))

    def named_children(self) -> Iterator[tuple[str, Layer]]:
        """(name, layer) of the layers directly inside this one."""
        return ((name, value) for name, value in self.named_members() if isinstance(value, Layer))

    def children(self) -> list[Layer]:
        """The layers directly inside this one."""
        return [child for _, child in self.named_children()]

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """(path, layer) of this layer, whose path is "", and of all inside it, outermost first.

        Raises ValueError for a layer that holds itself.
        """
        return self._walk(prefix, ())

    def _walk(self, path: str, above: tuple[Layer, ...]) -> Iterator[tuple[str, Layer]]:
        if any(layer is self for layer in above):
            raise ValueError(
                f"{type(above[0]).__name__}: {path} is a {type(self).__name__} that holds itself"
            )
        yield path, self
        for name, child in self.named_children():
            yield from child._walk(_join(path, name), (*above, self))

    def all_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of every parameter inside; a tied one comes under each of its names.

        Raises ValueError where two have one path.
        """
        found: dict[str, Parameter] = {}
        for path, layer in self.named_layers():
            for name, parameter in layer.own_parameters():
                full_path = _join(path, name)
                if found.setdefault(full_path, parameter) is not parameter:
                    raise ValueError(f"{type(self).__name__}: two parameters have the name {full_path}")
                yield full_path, parameter

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of every parameter inside, each once, under its first name."""
        seen: set[int] = set()
        for path, parameter in self.all_parameters():
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield path, parameter

    def parameters(self) -> list[Parameter]:
        """Every parameter inside, each once, as an optimizer takes them."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to zero."""
        for parameter in self.parameters():
            parameter.zero_grad()

    # ---- saving and loading ----

    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter by path, with PyTorch's names and shapes; tied ones under each name."""
        return {path: parameter.data.copy() for path, parameter in self.all_parameters()}

    def load_state_dict(self, mapping: Mapping[str, Any], strict: bool = True) -> Unmatched:
        """Take every parameter from a mapping of path to array or PyTorch tensor; the layer keeps its dtype.

        A tied weight may come under any of its names: many files have it only once.

        All is checked before anything is written. Raises ValueError with every missing and unexpected name
        (unless `strict` is False, which returns them), every wrong shape, and tied weights that are given
        different values; TypeError for values that are not real numbers.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(mapping, Mapping):
            raise TypeError(f"{where}: mapping must map names to arrays, got {type(mapping).__name__}")
        own = dict(self.all_parameters())
        given = {id(parameter) for path, parameter in own.items() if path in mapping}
        missing = [path for path, parameter in self.named_parameters() if id(parameter) not in given]
        unexpected = [path for path in mapping if path not in own]
        arrays = {path: _as_array(where, path, mapping[path]) for path in own if path in mapping}
        problems = [f"missing {path}" for path in missing if strict]
        problems += [f"unexpected {path}" for path in unexpected if strict]
        problems += [
            f"{path} must have shape {own[path].shape}, got {array.shape}"
            for path, array in arrays.items()
            if array.shape != own[path].shape
        ]
        arrays = {path: array.astype(own[path].dtype, copy=False) for path, array in arrays.items()}
        first_name: dict[int, str] = {}
        for path, array in arrays.items():
            tied = first_name.setdefault(id(own[path]), path)
            if tied != path and not np.array_equal(array, arrays[tied], equal_nan=True):
                problems.append(f"{path} and {tied} are one tied weight, but got different values")
        if problems:
            raise ValueError(f"{where}: " + "; ".join(problems))
        for path, array in arrays.items():
            own[path].data[...] = array
        return Unmatched(missing, unexpected)

    def graph(self, writer: GraphWriter) -> Node:
        """How predict computes y from x, in the operations of a model file (docs/model_format.md).

        `writer.node(op, weight=self.weight, ...)` is one operation, `writer.sequence(self.a, self.b)` two
        layers one after the other. Raises NoNativeForm if the operations cannot express the layer, as here:
        its files are then for Python alone.
        """
        raise writer.obstacle(self, f"{type(self).__name__} defines no graph")

    def metadata(self) -> dict[str, str]:
        """The metadata of its model file: the graph that native code runs."""
        return {"weft": json.dumps(describe(self), sort_keys=True)}

    # ---- randomness ----

    def draw_from(self, rng: Seed) -> None:
        """Become a layer that draws: take a seed from `rng` (an int, a generator, None for entropy)."""
        self.seed = int(np.random.default_rng(rng).integers(2**63))

    def next_draw(self) -> dict[str, int]:
        """The seed and offset of the next dropout_forward: no two draws of a layer are the same."""
        if self.seed is None:
            raise RuntimeError(f"{type(self).__name__}: draw_from must come before next_draw")
        self.calls += 1
        return {"seed": self.seed, "offset": self.calls - 1}

    def undrawn_if_refused(self) -> _Undrawn:
        """Whatever is raised inside, this layer will draw next what it would have drawn before."""
        return _Undrawn(self)

    def random_state(self) -> dict[str, list[int]]:
        """path -> [seed, calls] of every layer that draws, from which training resumes to the same bits."""
        return {path: [layer.seed, layer.calls] for path, layer in self._drawing_layers()}

    def load_random_state(self, state: Mapping[str, list[int]]) -> None:
        """Take back what random_state gave.

        Raises ValueError, with nothing changed, if it comes from a model of another form or is no such state.
        """
        own = dict(self._drawing_layers())
        if own.keys() != state.keys():
            raise ValueError(
                f"{type(self).__name__}.load_random_state: state must be of the layers {sorted(own)}, "
                f"got {sorted(state)}"
            )
        where = f"{type(self).__name__}.load_random_state"
        numbers = {path: _random_numbers(where, path, pair) for path, pair in state.items()}
        for path, (seed, calls) in numbers.items():
            own[path].seed, own[path].calls = seed, calls

    def _drawing_layers(self) -> Iterator[tuple[str, Any]]:
        return ((path, layer) for path, layer in self.named_layers() if layer.seed is not None)

    # ---- showing ----

    def summary(self) -> str:
        """A table of the layers inside with their parameters: shapes, numbers and bytes."""
        return summarise(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Undrawn:
    """Its block's draws are taken back if it raises. contextlib's way takes a microsecond, as a step does."""

    __slots__ = ("_calls", "_layer")

    def __init__(self, layer: Layer) -> None:
        self._layer, self._calls = layer, layer.calls

    def __enter__(self) -> None:
        pass

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self._layer.calls = self._calls


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _random_numbers(where: str, path: str, pair: Any) -> tuple[int, int]:
    """(seed, calls)."""
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise ValueError(f"{where}: {path} must be [seed, calls], got {pair!r:.80}")
    seed, calls = (
        check_count(where, f"{path}'s {name}", number, low=0)
        for name, number in zip(("seed", "calls"), pair, strict=True)
    )
    if seed >= 2**64 or calls >= 2**63:
        raise ValueError(f"{where}: {path} must be [seed < 2**64, calls < 2**63], got {pair!r:.80}")
    return seed, calls


def _as_array(where: str, path: str, value: Any) -> Array:
    try:
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)  # else PyTorch's refuse
    except (TypeError, ValueError, RuntimeError) as error:  # PyTorch's bfloat16, a list of unequal rows
        raise TypeError(f"{where}: {path} must be an array, got {type(value).__name__}: {error}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{where}: {path} must be of real numbers, got dtype {array.dtype}")
    return array
