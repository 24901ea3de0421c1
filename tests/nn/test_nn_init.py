"""Initializers: their distributions' bounds and moments, determinism, and the layers' own defaults."""

from __future__ import annotations

import math

import numpy as np
import pytest

from weftnn import nn
from weftnn.nn import init

SHAPE = (400, 600)
FAN_IN, FAN_OUT = 600, 400

# name: (how to draw, the standard deviation it must have, the bound of a uniform one)
DRAWS = {
    "uniform": (lambda **o: init.uniform(SHAPE, 0.3, **o), 0.3 / math.sqrt(3), 0.3),
    "normal": (lambda **o: init.normal(SHAPE, 0.02, **o), 0.02, None),
    "xavier uniform": (lambda **o: init.xavier_uniform(SHAPE, **o), math.sqrt(2 / 1000), math.sqrt(6 / 1000)),
    "xavier normal": (
        lambda **o: init.xavier_normal(SHAPE, gain=5 / 3, **o),
        5 / 3 * math.sqrt(2 / 1000),
        None,
    ),
    "kaiming uniform": (
        lambda **o: init.kaiming_uniform(SHAPE, **o),
        math.sqrt(2 / FAN_IN),
        math.sqrt(6 / FAN_IN),
    ),
    "kaiming normal": (lambda **o: init.kaiming_normal(SHAPE, **o), math.sqrt(2 / FAN_IN), None),
    "kaiming, fan-out": (
        lambda **o: init.kaiming_normal(SHAPE, mode="fan_out", **o),
        math.sqrt(2 / FAN_OUT),
        None,
    ),
    "kaiming, gain": (
        lambda **o: init.kaiming_uniform(SHAPE, gain=1, **o),
        1 / math.sqrt(FAN_IN),
        math.sqrt(3 / FAN_IN),
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_distribution(name):
    draw, std, bound = DRAWS[name]
    values = draw(rng=0)
    assert values.shape == SHAPE
    assert values.dtype == np.float32
    assert values.mean() == pytest.approx(0, abs=5 * std / math.sqrt(values.size))
    assert values.std() == pytest.approx(std, rel=0.01)
    if bound is not None:
        assert 0.999 * bound < abs(values).max() <= np.float32(bound)
    np.testing.assert_array_equal(draw(rng=0), values)
    np.testing.assert_array_equal(
        draw(rng=np.random.default_rng(0), dtype=np.float64).astype(np.float32), values
    )
    assert (draw(rng=1) != values).any()


@pytest.mark.parametrize("shape", [(30, 30), (50, 20), (20, 50), (6, 5, 4), (1, 1)])
def test_orthogonal(shape):
    w = init.orthogonal(shape, gain=1.5, dtype=np.float64, rng=0).reshape(shape[0], -1)
    small = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(small, 1.5**2 * np.eye(len(small)), atol=1e-13)


def test_orthogonal_favours_no_rotation():
    """Without the correction of signs, the diagonal of a small matrix would lean to one side."""
    entries = [init.orthogonal((2, 2), rng=seed)[0, 0] for seed in range(400)]
    assert abs(np.mean(entries)) < 0.15


def test_convolution_like_shapes_count_their_field():
    assert abs(init.kaiming_uniform((2, 3, 5), rng=0)).max() <= math.sqrt(6 / 15)
    assert abs(init.xavier_uniform((2, 3, 5), rng=0)).max() <= math.sqrt(6 / 25)


def test_constants():
    assert (init.zeros((2, 3)) == 0).all()
    assert (init.constant((2, 3), 0.5, dtype=np.float64) == 0.5).all()


@pytest.mark.parametrize(
    "draw",
    [init.xavier_uniform, init.xavier_normal, init.kaiming_uniform, init.kaiming_normal, init.orthogonal],
)
@pytest.mark.parametrize("shape", [(), (3,), (3, 0)])
def test_fans_need_two_axes(draw, shape):
    with pytest.raises(ValueError, match=f"{draw.__name__}: shape must have two or more axes"):
        draw(shape)


def test_unknown_mode():
    with pytest.raises(
        ValueError, match="kaiming_normal: mode must be one of 'fan_in', 'fan_out', got 'fan_avg'"
    ):
        init.kaiming_normal((2, 2), mode="fan_avg")


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (nn.Linear(400, 300, rng=0), 1 / 20),
        (nn.RNN(30, 100, rng=0), 1 / 10),
        (nn.GRU(30, 100, num_layers=2, bidirectional=True, rng=0), 1 / 10),
        (nn.LSTM(30, 100, proj_size=20, forget_bias=None, rng=0), 1 / 10),
        (nn.GRUCell(30, 100, rng=0), 1 / 10),
    ],
    ids=lambda value: repr(value),
)
def test_defaults_are_pytorchs(layer, bound):
    for name, parameter in layer.named_parameters():
        largest = abs(parameter.data).max()
        assert 0.9 * bound < largest <= np.float32(bound), name


def test_embedding_starts_standard_normal():
    weight = nn.Embedding(1000, 50, rng=0).weight.data
    assert weight.std() == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize("make", [nn.Linear, nn.Embedding, nn.RNN, nn.LSTM, nn.GRU, nn.GRUCell])
def test_a_seed_decides_everything(make):
    one, same, other = make(4, 5, rng=1), make(4, 5, rng=1), make(4, 5, rng=2)
    for a, b, c in zip(one.parameters(), same.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(a.data, b.data)
        assert (a.data != c.data).any()
    generator = np.random.default_rng(1)
    first, second = make(4, 5, rng=generator), make(4, 5, rng=generator)
    assert (first.parameters()[0].data != second.parameters()[0].data).any()
