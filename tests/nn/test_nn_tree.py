"""What a layer holds is found wherever it is kept: as attributes, in lists, tuples and dicts, nested as they
like; what cannot be named is refused."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, UserDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weftnn import nn, optim
from weftnn.data import ArrayDataset
from weftnn.train import Trainer


def ones() -> nn.Parameter:
    return nn.Parameter(np.ones(3, np.float32))


class Mixture(nn.Layer):
    """y = sum of w_i f_i(x), its parts in every kind of container."""

    def __init__(self, rng: int = 0) -> None:
        self.weights = [ones(), ones()]
        self.blocks = [[nn.Linear(3, 3, rng=rng)], (nn.Linear(3, 3, rng=rng + 1), "a word")]
        self.heads = {"a": nn.Linear(3, 3, rng=rng + 2), "b": {"c": [ones()]}, 7: "not learned"}
        self.noise = {"drop": nn.Dropout(0.5, rng=rng)}
        self.number, self.nothing = 3, None

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, nn.Backprop]:
        layers = self.blocks[0][0], self.blocks[1][0], self.heads["a"]
        scales = *self.weights, self.heads["b"]["c"][0]
        ys, backs = zip(*[layer(x) for layer in layers], strict=True)

        def backprop(dy: np.ndarray) -> np.ndarray:
            dx = np.zeros_like(x)
            for y, back, scale in zip(ys, backs, scales, strict=True):
                scale.gradient()[...] += (dy * y).sum(axis=0)
                dx += back(dy * scale.data)
            return dx

        y = sum(y * scale.data for y, scale in zip(ys, scales, strict=True))
        return y, nn.Backprop(self, backprop, y)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self(x)[0]


NAMES = [
    "weights.0",
    "weights.1",
    "heads.b.c.0",
    "blocks.0.0.weight",
    "blocks.0.0.bias",
    "blocks.1.0.weight",
    "blocks.1.0.bias",
    "heads.a.weight",
    "heads.a.bias",
]
X = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)


def test_names() -> None:
    model = Mixture()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert list(model.state_dict()) == NAMES
    assert [path for path, _ in model.named_layers()] == [
        "",
        "blocks.0.0",
        "blocks.1.0",
        "heads.a",
        "noise.drop",
    ]
    assert model.random_state().keys() == {"noise.drop"}
    assert nn.Sequential(model).parameters() == model.parameters()


def test_all_are_trained(tmp_path: Path) -> None:
    model = Mixture()
    before = model.state_dict()
    trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1))
    trainer.fit(ArrayDataset((X, X), 8), epochs=1, progress=False, checkpoint_dir=tmp_path)
    for name, array in model.state_dict().items():
        assert (array != before[name]).any(), name
    other = Mixture(5)
    Trainer(other, nn.MSELoss(), optim.SGD(other.parameters(), lr=0.1)).resume(tmp_path)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    model.zero_grad()
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


def test_saved_loaded_copied_and_counted(tmp_path: Path) -> None:
    model, other = Mixture(), Mixture(5)
    nn.save(model, tmp_path / "m")
    nn.load(other, tmp_path / "m")
    for twin in (other, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert [name for name, _ in twin.named_parameters()] == NAMES
        np.testing.assert_array_equal(twin.predict(X), model.predict(X))
        twin.weights[0].data[...] = 7
    assert (model.weights[0].data == 1).all()
    lines = model.summary().splitlines()
    assert any("heads.b.c.0" in line for line in lines)
    assert lines[-1].split()[:2] == ["total", str(sum(parameter.size for parameter in model.parameters()))]


def test_a_parameter_held_twice_is_one() -> None:
    model = Mixture()
    model.weights.append(model.weights[0])
    model.blocks.append(model.heads["a"])
    assert len(model.parameters()) == len(NAMES)
    assert {"weights.2", "blocks.2.weight"} <= model.state_dict().keys()


class Wider(nn.GRU):
    """What a class adds to a layer that names its parameters itself."""

    def __init__(self) -> None:
        super().__init__(3, 4, rng=0)
        self.start = ones()
        self.heads = [nn.Linear(4, 2)]


class Longer(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(3, 3))
        self.scale = ones()
        self.gate = nn.Linear(3, 1)


class Deeper(nn.TransformerEncoderLayer):
    def __init__(self) -> None:
        super().__init__(4, 2, 8)
        self.extra = {"scale": ones()}


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (Wider, {"weight_ih_l0", "bias_hh_l0", "start", "heads.0.weight"}),
        (Longer, {"0.weight", "scale", "gate.bias"}),
        (Deeper, {"self_attn.in_proj_weight", "linear1.weight", "extra.scale"}),
    ],
)
def test_what_a_derived_class_adds(make: Callable[[], nn.Layer], names: set[str]) -> None:
    assert names <= dict(make().named_parameters()).keys()


class Holder(nn.Layer):
    """Holds one thing."""

    def __init__(self, held: Any, name: str = "held") -> None:
        setattr(self, name, held)


def in_itself() -> list[Any]:
    circle: list[Any] = [ones()]
    circle.append(circle)
    return circle


def own_parent() -> nn.Layer:
    child = Holder(None)
    child.held = [Holder(child)]
    return child


OBJECTS = np.empty(1, object)
OBJECTS[0] = ones()


@pytest.mark.parametrize(
    ("held", "error", "message"),
    [
        ({ones()}, TypeError, "Holder: held must be a list, a tuple or a dict .*, got set"),
        (frozenset([nn.Tanh()]), TypeError, "held must be a list, .*, got frozenset"),
        ([deque([ones()])], TypeError, r"held\.0 must be a list, .*, got deque"),
        (UserDict(a=ones()), TypeError, "held must be a list, .*, got UserDict"),
        ({"a": ones()}.values(), TypeError, "held must be a list, .*, got dict_values"),
        (OBJECTS, TypeError, "held must be a list, .*, got ndarray"),
        ({0: ones()}, TypeError, "the keys of held must be strings, got 0"),
        ({ones(): "a key"}, TypeError, "the keys of held must be strings, got Parameter"),
        ({"a.b": nn.Linear(2, 2)}, ValueError, r"keys of held must be names without a dot, got 'a\.b'"),
        ([{"": ones()}], ValueError, r"keys of held\.0 must be names without a dot, got ''"),
        (in_itself(), ValueError, r"held\.1 is a list that holds itself"),
        (own_parent(), ValueError, r"held\.held\.0\.held is a Holder that holds itself"),
    ],
)
def test_what_cannot_be_named_is_refused(held: Any, error: type[Exception], message: str) -> None:
    for walk in (nn.Layer.parameters, nn.Layer.state_dict, nn.Layer.zero_grad, nn.Layer.summary):
        with pytest.raises(error, match=message):
            walk(Holder(held))


@pytest.mark.parametrize(
    "held", [{1, 2}, {0: "word"}, [deque([1])], OrderedDict({(1, 2): 3}), np.array([None])], ids=str
)
def test_other_things_may_be_anywhere(held: Any) -> None:
    assert Holder(held).parameters() == []


def test_two_of_one_name_are_refused() -> None:
    model = Holder({"a": ones()})
    setattr(model, "held.a", ones())
    with pytest.raises(ValueError, match=r"Holder: two parameters have the name held\.a"):
        model.state_dict()


def test_in_the_class_is_refused() -> None:
    with pytest.raises(TypeError, match="Shared: weight must be set in __init__, not in the class"):

        class Shared(nn.Layer):
            weight = ones()
