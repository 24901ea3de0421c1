"""Every layer refuses what is no array for it in one sentence that names the layer and the argument, in a
call, in predict and in backprop, and nothing has changed then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from nn_cases import CASES
from nn_kinds import Case, Read, initial_state, run
from weftnn import nn
from weftnn.models import GPT, LanguageModel

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


class Tensor:
    """What other libraries' arrays look like, if `asarray` knows nothing of them."""

    class dtype:
        kind = "f"

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.ndim = values, values.shape, values.ndim

    def __len__(self) -> int:
        return len(self.values)


class Frame(Tensor):
    """What a table of pandas looks like: `asarray` knows what to do."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype)


def no_arrays(array: np.ndarray) -> dict[str, Any]:
    """What is wrong wherever an array is expected."""
    return {
        "text": "abc",
        "a number": 2.5,
        "a mapping": {"x": array},
        "a function": len,
        "a tensor": Tensor(array),
        "a masked array": np.ma.masked_array(array),
        "None in an array": np.full(array.shape, None),
        "rows of unequal lengths": [[1.0], [1.0, 2.0]],
        "words": array.astype(str),
    }


def no_floats(array: np.ndarray) -> dict[str, Any]:
    """What is wrong wherever an array of floats is expected."""
    with np.errstate(invalid="ignore"):  # the -inf of a mask as an integer
        return no_arrays(array) | {
            "a list": array.tolist(),
            "a tuple": tuple(array.tolist()),
            "a table": Frame(array),
            "a scalar": np.float64(1.0),
            "whole numbers": array.astype(np.int64),
            "halves": array.astype(np.float16),
            "objects": array.astype(object),
            "complex numbers": array.astype(complex),
            "another byte order": array.astype(array.dtype.newbyteorder()),
        }


class Arguments:
    """A layer and what it is called with, by the names of the arguments."""

    def __init__(self, case: Case) -> None:
        self.layer, self.x = case.build()
        self.state = initial_state(self.layer, self.x, case.options, np.random.default_rng(2))
        self.has_state = self.layer.stateful or isinstance(self.layer, nn.RNNCell | nn.LSTMCell | nn.GRUCell)
        self.options = dict(case.options)
        if not self.has_state:
            arrays = iter(self.state or ())
            for name, value in case.options.items():
                if isinstance(value, Read):
                    self.options[name] = next(arrays)
                elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
                    self.options[name] = value.astype(self.x.dtype)
        names = [type(inner).__name__ for _, inner in self.layer.named_layers()]
        self.kinds = "|".join({*names, type(self.layer).__name__})

    def calls(self, x: Any, state: Any = None, /, **changes: Any) -> list[Callable[[], Any]]:
        """The layer called, and its predict."""
        options = self.options | changes
        states = [state] if self.has_state else []
        return [
            lambda: self.layer(x, *states, **options),
            lambda: self.layer.predict(x, *states, **options),
        ]

    def refuse(self, what: str, call: Callable[[], Any], argument: str) -> None:
        """The call is refused by name, and leaves gradients and random numbers as they were."""
        randomness = self.layer.random_state()
        gradients = [None if p.grad is None else p.grad.copy() for p in self.layer.parameters()]
        try:
            call()
        except (TypeError, ValueError) as error:
            sentence = rf"^({self.kinds})(\.backprop)?: ({argument})\b.* must .*got "
            assert re.search(sentence, str(error), re.DOTALL), f"{what}: {error}"
        else:
            pytest.fail(f"{argument}, {what}: taken")
        if not isinstance(self.layer, nn.Sequential):  # there, layers before the one that refuses have drawn
            assert self.layer.random_state() == randomness, what
        for parameter, gradient in zip(self.layer.parameters(), gradients, strict=True):
            np.testing.assert_array_equal(parameter.grad, gradient, err_msg=what)


def takes_anything(layer: nn.Layer) -> bool:
    """An empty Sequential gives its argument, whatever array that is."""
    return isinstance(layer, nn.Sequential) and not layer.layers


@each_case
def test_x(case: Case) -> None:
    given = Arguments(case)
    wrong = (no_arrays if given.x.dtype.kind == "i" else no_floats)(given.x) | {"nothing": None}
    if given.x.dtype.kind == "i":
        wrong["floats"] = given.x.astype(float)
    for what, x in wrong.items():
        if isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray) and takes_anything(given.layer):
            continue
        if what == "another byte order" and isinstance(given.layer, nn.Sequential):
            continue  # zeros in the place of padding make it this machine's
        for call in given.calls(x, given.state):
            given.refuse(what, call, "x|query|scores|source")


@each_case
def test_state(case: Case) -> None:
    given = Arguments(case)
    if not given.has_state or given.state is None:
        return
    for place, array in enumerate(parts(given.state)):
        for what, wrong in (no_floats(array) | {"a shape": array[..., :1]}).items():
            if array.shape[-1] == 1 and what == "a shape":
                continue
            for call in given.calls(given.x, replaced(given.state, place, wrong)):
                given.refuse(what, call, "state")


@each_case
def test_arrays_beside_x(case: Case) -> None:
    """Memory, values, masks and biases."""
    given = Arguments(case)
    if given.has_state:
        return
    for name, array in given.options.items():
        if not isinstance(array, np.ndarray) or name == "offset":
            continue  # what an offset may be: test_nn_positions.py
        for what, wrong in no_floats(array).items():
            if what == "another byte order" and array.dtype == bool:
                continue  # there is none
            for call in given.calls(given.x, **{name: wrong}):
                given.refuse(what, call, f"{name}|mask")


@each_case
def test_gradients(case: Case) -> None:
    given = Arguments(case)
    outs, _ = run(given.layer, given.x, given.state, case.options)
    for place, out in enumerate(outs):
        _, back = run(given.layer, given.x, given.state, case.options)
        for what, wrong in no_floats(out).items():
            douts: list[Any] = [np.zeros_like(each) for each in outs]
            douts[place] = wrong
            given.refuse(what, lambda back=back, douts=douts: back(douts), "dy|dstate")
        back([np.zeros_like(each) for each in outs])  # what was refused did not count


def parts(state: Any) -> Iterator[np.ndarray]:
    if isinstance(state, tuple):
        for part in state:
            yield from parts(part)
    else:
        yield state


def replaced(state: Any, place: int, wrong: Any) -> Any:
    """The state with another value for one of its arrays."""
    arrays = iter([wrong if index == place else array for index, array in enumerate(parts(state))])

    def fill(part: Any) -> Any:
        return tuple(fill(inner) for inner in part) if isinstance(part, tuple) else next(arrays)

    return fill(state)


# ---- the sentences, and what the table does not reach ----

X = np.zeros((2, 5, 4))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nn.GRU(4, 3).predict(X),
            "GRU: x must have dtype float32, got float64 "
            "(x.astype(np.float32), or dtype=np.float64 for the layer)",
        ),
        (
            lambda: nn.GRU(4, 3).predict(X.astype(int)),
            "GRU: x must have dtype float32, got int64 (x.astype(np.float32))",
        ),
        (
            lambda: nn.Linear(4, 3, dtype=np.float64).predict(X.tolist()),
            "Linear: x must be a NumPy array, got list (np.asarray(x, np.float64))",
        ),
        (
            lambda: nn.ReLU().predict(X.astype(int)),
            "ReLU: x must have dtype float32 or float64, got int64 (x.astype(np.float32))",
        ),
        (
            lambda: nn.Linear(4, 3).predict(np.ma.masked_array(X)),
            "Linear: x must be a plain array, got a masked array, whose mask would be lost",
        ),
        (
            lambda: nn.Embedding(4, 3).predict(X),
            "Embedding: x must be of integers, got float64 (x.astype(np.int64))",
        ),
        (
            lambda: nn.TransformerDecoderLayer(4, 2).predict(X.astype("f4"), X),
            "TransformerDecoderLayer: memory must have dtype float32, got float64 "
            "(memory.astype(np.float32), or dtype=np.float64 for the layer)",
        ),
        (
            lambda: nn.Transformer(4, 2, 1, 1).predict(X, X.astype("f4")),
            "Transformer: source must have dtype float32, got float64 "
            "(source.astype(np.float32), or dtype=np.float64 for the layer)",
        ),
        (
            lambda: nn.DotAttention()(X, mask=np.ones((5, 5), int)),
            "DotAttention: mask must have dtype bool or float64, got int64 "
            "(mask.astype(bool), True where a step may read)",
        ),
        (lambda: nn.DotAttention()(X, None, X), "DotAttention: memory must be a NumPy array, got NoneType"),
        (
            lambda: nn.MultiheadAttention(4, 2)(None, X.astype("f4")),
            "MultiheadAttention: query must be a NumPy array, got NoneType",
        ),
        (
            lambda: nn.MultiheadAttention(4, 2, causal=True).predict(X.astype("f4"), cache=[]),
            "MultiheadAttention: cache must be a KeyValueCache, got list",
        ),
        (lambda: GPT(hidden_size=8, num_heads=2).predict([[1, 2], [3]]), "GPT: x must be of integers, got"),
        (lambda: LanguageModel(hidden_size=8).predict(X), "Embedding: x must be of integers, got float"),
        (lambda: LanguageModel(hidden_size=8)(None), "Embedding: x must be of integers, got NoneType"),
    ],
)
def test_the_sentence_names_the_type_and_the_cure(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
        call()


def test_integers_may_come_in_lists() -> None:
    layer = nn.Embedding(5, 2, rng=0)
    np.testing.assert_array_equal(layer.predict([[1, 2]]), layer.predict(np.array([[1, 2]], np.uint8)))


def test_a_mapped_file_is_an_array(tmp_path: Any) -> None:
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(2, 4))
    layer = nn.Linear(4, 3, rng=0)
    np.testing.assert_array_equal(layer.predict(x), layer.predict(np.zeros((2, 4), np.float32)))
