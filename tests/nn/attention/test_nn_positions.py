"""Places near and far, before zero and in every type of number: right, in no more memory than asked for."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn
from weftnn import nn
from weftnn.nn.positions.place_table import PlaceTable

SIZE = 6


def longdouble_waves(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """sin and cos[..., SIZE/2] of the angles, in extended precision."""
    frequencies = np.longdouble(10000) ** (-np.arange(0, SIZE, 2, dtype=np.longdouble) / SIZE)
    angle = np.asarray(places, np.longdouble)[..., None] * frequencies
    return np.sin(angle), np.cos(angle)


def sinusoidal(places: np.ndarray) -> np.ndarray:
    waves = np.empty((*np.shape(places), SIZE), np.longdouble)
    waves[..., 0::2], waves[..., 1::2] = longdouble_waves(places)
    return waves


def rotary(places: np.ndarray) -> np.ndarray:
    """Of x = 1, 1, 1, 0, 0, 0."""
    sine, cosine = longdouble_waves(places)
    return np.concatenate([cosine, sine], axis=-1)


KINDS: dict[str, tuple[nn.Layer, Callable[[Any, Any], np.ndarray], Callable[[np.ndarray], np.ndarray]]] = {
    "sinusoidal": (nn.SinusoidalPositions(SIZE), lambda dtype, b: np.zeros((b, 4, SIZE), dtype), sinusoidal),
    "rotary": (
        nn.RotaryPositions(SIZE),
        lambda dtype, b: np.concatenate([np.ones((b, 1, 4, 3), dtype), np.zeros((b, 1, 4, 3), dtype)], -1),
        rotary,
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 5, 10**6, 10**9, 2**40, -3, -(10**9)])
def test_numbers(kind: str, dtype: Any, offset: int) -> None:
    """To a rounding of the result, and of the angle: it is a float64 with an error of its own size."""
    layer, make, expected = KINDS[kind]
    y = layer.predict(make(dtype, 1), offset=offset)
    right = expected(offset + np.arange(4))
    bound = 2 * np.finfo(dtype).eps + 2.0**-51 * (abs(offset) + 4)
    assert np.abs(y.reshape(4, SIZE) - right).max() < bound


@each_kind
def test_a_far_step_costs_a_step(kind: str) -> None:
    layer, make, _ = KINDS[kind]
    x = make(np.float32, 1)
    layer.predict(x, offset=0)
    tracemalloc.start()
    for offset in (10**7, 2**50, -(10**7)):
        layer.predict(x, offset=offset)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1 << 16
    assert peak < 1 << 16


@each_kind
def test_same_bits_alone_and_among_others(kind: str) -> None:
    """From the table or not, in one call or in many."""
    layer, make, _ = KINDS[kind]
    x = make(np.float32, 2)
    for first, second in ((0, 3), (10**6, 10**6 + 7), (-2, 10**9)):
        both = layer.predict(x, offset=np.array([first, second]))
        for row, offset in ((0, first), (1, second)):
            np.testing.assert_array_equal(both[row], layer.predict(x[row : row + 1], offset=offset)[0])


def test_a_table_is_bounded() -> None:
    table = PlaceTable(lambda places: np.ones((*places.shape, 1 << 18)), width=1 << 18)
    table.at(np.arange(7), np.dtype(np.float32))
    assert table.nbytes <= 1 << 24
    table.at(np.arange(40), np.dtype(np.float32))
    assert table.nbytes <= 1 << 24


OFFSETS = [np.int64(3), np.uint8(3), np.uint64(3), np.array(3), [3, 3], np.array([3, 3], np.uint8)]
LAYERS: dict[str, tuple[Callable[[], nn.Layer], tuple[int, ...]]] = {
    "sinusoidal": (lambda: nn.SinusoidalPositions(SIZE), (2, 4, SIZE)),
    "rotary": (lambda: nn.RotaryPositions(SIZE), (2, 3, 4, SIZE)),
    "learned": (lambda: nn.LearnedPositions(9, SIZE, rng=0), (2, 4, SIZE)),
    "alibi": (lambda: nn.ALiBi(3), (2, 3, 4, 5)),
    "relative": (lambda: nn.RelativePositions(3, rng=0), (2, 3, 4, 5)),
}
each_layer = pytest.mark.parametrize("name", LAYERS)


@each_layer
@pytest.mark.parametrize("offset", OFFSETS, ids=repr)
def test_every_integer_is_an_offset(name: str, offset: Any) -> None:
    make, shape = LAYERS[name]
    x = np.ones(shape, np.float32)
    np.testing.assert_array_equal(make().predict(x, offset=offset), make().predict(x, offset=3))


@each_layer
@pytest.mark.parametrize(
    ("offset", "error", "message"),
    [
        (1.0, TypeError, "offset must be an integer, or integers .*, got float"),
        (True, TypeError, "got bool"),
        (None, TypeError, "got NoneType"),
        ("3", TypeError, "got str"),
        ([[1], [1, 2]], TypeError, "got list"),
        (np.array([0.0, 1.0]), TypeError, "got float64"),
        (np.array([1, 2, 3]), ValueError, r"\(B,\) = \(2,\), got shape \(3,\)"),
        (np.array([[1, 2]]), ValueError, r"got shape \(1, 2\)"),
        (2**53, ValueError, r"places within 2\^53, got 9007199254740992"),
        (10**30, ValueError, r"places within 2\^53"),
        (np.uint64(2**63), ValueError, r"places within 2\^53"),
    ],
    ids=repr,
)
def test_other_offsets_are_refused(name: str, offset: Any, error: type[Exception], message: str) -> None:
    make, shape = LAYERS[name]
    for call in (make().predict, make()):
        with pytest.raises(error, match=f"Positions: .*{message}|ALiBi: .*{message}"):
            call(np.ones(shape, np.float32), offset=offset)


def test_before_zero() -> None:
    """Distances go on before zero as after it; a learned place is not there."""
    scores = np.zeros((1, 3, 2, 4))
    near, before = nn.ALiBi(3).bias(2, 4, offset=5), nn.ALiBi(3).bias(2, 4, offset=-5)
    np.testing.assert_array_equal(before[:, 0, 0] / near[:, 0, 0], 1)
    np.testing.assert_array_equal(before[:, 0, 3] / before[:, 0, 0], 8 / 5)
    relative = nn.RelativePositions(3, dtype=np.float64, rng=0)
    weight = relative.weight.data[relative.buckets(np.array([5, 6]))]
    np.testing.assert_array_equal(relative.predict(scores, offset=-5)[0, :, 0, :2].T, weight)
    learned, x = nn.LearnedPositions(9, SIZE, rng=0), np.zeros((2, 4, SIZE), np.float32)
    for offset in (-1, np.array([0, -1])):
        with pytest.raises(ValueError, match="LearnedPositions: offset must be at least 0, got "):
            learned.predict(x, offset=offset)


def test_native_code_has_the_same_bits() -> None:
    """A run and a stream of the C++ library, at near places and at those that a stream has reached."""
    model = nn.Sequential(nn.Linear(SIZE, SIZE, bias=False), nn.SinusoidalPositions(SIZE))
    model[0].weight.data = np.eye(SIZE, dtype=np.float32)
    x = np.random.default_rng(0).normal(size=(1, 300, SIZE)).astype(np.float32)
    y, stream = model.predict(x), weftnn.Stream(model)
    np.testing.assert_array_equal(weftnn.Model(model).run(x), y)
    np.testing.assert_array_equal(stream.process(x[0]), y[0])
    assert stream.position == 300
    far = model[1].predict(x[:, :1], offset=300)
    np.testing.assert_array_equal(stream.step(x[0, 0]), far[0, 0])
