"""A Parameter is what kernels write to, whatever it was made, copied or unpickled from."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weftnn import nn, optim

X = np.ones((4, 3), np.float32)


def out_of_band(value: Any) -> Any:
    """Pickled as ray, dask and joblib do it: the arrays' bytes are read-only, and here misaligned too."""
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(pickled, buffers=[memoryview(b"." + bytes(buffer))[1:] for buffer in buffers])


WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "the oldest pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=0)),
    "out of band": out_of_band,
    "deepcopy": copy.deepcopy,
}


def is_learnable(array: np.ndarray) -> bool:
    flags = array.flags
    return type(array) is np.ndarray and flags.writeable and flags.c_contiguous and flags.aligned


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(3, 2, rng=0),
        lambda: nn.Sequential(nn.GRU(3, 4, num_layers=2, rng=0)),
        lambda: nn.LSTM(3, 4, bidirectional=True, rng=0),
    ],
)
def test_a_copy_trains(make: Callable[[], Any], way: Callable[[Any], Any]) -> None:
    model = make()
    x = X[None]
    model(x)  # what a call makes and keeps must not outlive the arrays that it was made of
    model.parameters()[0].gradient()
    twin, optimizer = way((model, optim.Adam(model.parameters(), lr=0.1)))
    assert all(is_learnable(p.data) and (p.grad is None or is_learnable(p.grad)) for p in twin.parameters())
    y, backprop = twin(x)
    before = y[0] if twin.stateful else y
    backprop(np.ones_like(before))
    optimizer.step()
    y = twin.predict(x)
    assert ((y[0] if twin.stateful else y) != before).any()


def test_a_shallow_copy_is_of_the_same_arrays() -> None:
    parameter = nn.Parameter(np.ones(2))
    twin = copy.copy(parameter)
    assert twin is not parameter
    assert twin.data is parameter.data


def test_a_tie_survives() -> None:
    encoder, decoder = nn.Embedding(5, 3), nn.Linear(3, 5)
    decoder.weight = encoder.weight
    twin = out_of_band(nn.Sequential(encoder, decoder))
    assert twin[0].weight is twin[1].weight


def test_a_cache_goes_on() -> None:
    layer = nn.MultiheadAttention(4, 2, causal=True, rng=0)
    cache = nn.KeyValueCache()
    x = np.ones((1, 2, 4), np.float32)
    layer.predict(x, cache=cache)
    twin = out_of_band(cache)
    np.testing.assert_array_equal(layer.predict(x, cache=twin), layer.predict(x, cache=cache))


@pytest.mark.parametrize(
    "awkward",
    [
        lambda path: np.memmap(path, np.float32, "r", shape=(2, 3)),
        lambda path: np.broadcast_to(np.float32(1), (2, 3)),
        lambda path: np.zeros((3, 2), np.float32).T,
        lambda path: np.frombuffer(bytes(25), np.uint8)[1:].view(np.float32).reshape(2, 3),
        lambda path: np.zeros((2, 3), np.float32).view(np.recarray),
    ],
)
def test_awkward_arrays_are_copied(awkward: Callable[[Path], np.ndarray], tmp_path: Path) -> None:
    np.zeros(6, np.float32).tofile(tmp_path / "x")
    values = awkward(tmp_path / "x")
    made, parameter = nn.Parameter(values), nn.Parameter(np.ones((2, 3), np.float32))
    data = parameter.data
    parameter.data = values
    parameter.grad = values
    assert parameter.data is data
    np.testing.assert_array_equal(data, values)
    assert all(map(is_learnable, (made.data, data, parameter.grad)))
    assert parameter.grad is not None
    optim.SGD([parameter], lr=0.5).step()


def test_in_place_operators() -> None:
    layer = nn.Linear(2, 2, rng=0)
    weight, data, before = layer.weight, layer.weight.data, layer.weight.data.copy()
    layer.weight.data *= 0.5
    layer.weight.data += 1
    assert layer.weight.data is data
    np.testing.assert_array_equal(data, before * np.float32(0.5) + 1)
    grad = weight.gradient()
    layer.weight.grad += 3
    layer.weight.grad /= 2
    assert layer.weight.grad is grad
    assert (grad == 1.5).all()
    layer.weight.grad = None
    assert layer.weight.grad is None


def test_a_gradient_is_not_the_data() -> None:
    parameter = nn.Parameter(np.ones(2))
    parameter.grad = parameter.data
    parameter.zero_grad()
    assert (parameter.data == 1).all()


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.zeros(3), ValueError, r"must have shape \(2,\), got \(3,\)"),
        (np.zeros((1, 2)), ValueError, r"must have shape \(2,\), got \(1, 2\)"),
        (0.0, ValueError, r"must have shape \(2,\), got \(\)"),
        (np.zeros(2, np.float32), TypeError, "must have dtype float64, got float32"),
        (np.zeros(2, int), TypeError, "must be float32 or float64, got int64"),
        (np.ma.masked_array(np.zeros(2)), TypeError, "must be a plain array, got a masked array"),
        ([[1.0], [1.0, 2.0]], TypeError, "must be an array, got list"),
        ("text", TypeError, "must be float32 or float64"),
    ],
)
@pytest.mark.parametrize("name", ["data", "grad"])
def test_what_does_not_fit_is_refused(name: str, values: Any, error: type[Exception], message: str) -> None:
    parameter = nn.Parameter(np.ones(2))
    parameter.gradient()[...] = 1
    with pytest.raises(error, match=f"^Parameter: {name} {message}"):
        setattr(parameter, name, values)
    assert (parameter.data == 1).all()
    assert parameter.grad is not None and (parameter.grad == 1).all()
