"""Drawing from logits: temperature, top-k, top-p, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from weftnn.models.sampling import keep_top_k, keep_top_p, probabilities, sample, scale_temperature

LOGITS = np.log(np.array([0.1, 0.4, 0.05, 0.25, 0.2]))
finite_logits = hnp.arrays(
    np.float32, hnp.array_shapes(max_dims=2, max_side=9), elements=st.floats(-50, 50, width=32)
)


def test_temperature_divides_what_softmax_sees() -> None:
    expected = np.exp(LOGITS / 0.5) / np.exp(LOGITS / 0.5).sum()
    np.testing.assert_allclose(probabilities(scale_temperature(LOGITS, 0.5)), expected, rtol=1e-12)


def test_temperature_zero_takes_the_most_likely_and_of_equals_the_first() -> None:
    rng = np.random.default_rng(0)
    assert {int(sample(LOGITS, rng, temperature=0)) for _ in range(20)} == {1}
    assert int(sample(np.array([0.0, 3.0, 3.0]), rng, temperature=0)) == 1


@pytest.mark.parametrize("temperature", [1e-300, 1e-30, 1e30])
def test_extreme_temperatures_stay_finite(temperature: float) -> None:
    assert np.isfinite(probabilities(scale_temperature(LOGITS, temperature))).all()


@given(finite_logits, st.integers(1, 12))
def test_top_k_keeps_the_k_largest(logits: np.ndarray, k: int) -> None:
    kept = np.isfinite(keep_top_k(logits, k))
    assert (kept.sum(axis=-1) == min(k, logits.shape[-1])).all()
    smallest_kept = np.where(kept, logits, np.inf).min(axis=-1)
    largest_dropped = np.where(kept, -np.inf, logits).max(axis=-1)
    assert (smallest_kept >= largest_dropped).all()


@given(finite_logits, st.floats(0.01, 1.0))
def test_top_p_keeps_the_fewest_that_reach_p(logits: np.ndarray, p: float) -> None:
    kept = np.isfinite(keep_top_p(logits, p))
    mass = np.where(kept, probabilities(logits), 0.0)
    assert kept.any(axis=-1).all()
    assert (mass.sum(axis=-1) >= p - 1e-12).all()
    if p < 1:  # without the least likely of them, p is not reached
        least = np.where(kept, probabilities(logits), np.inf).min(axis=-1)
        assert (mass.sum(axis=-1) - least < p + 1e-12).all()


def test_draws_follow_the_probabilities() -> None:
    rng = np.random.default_rng(0)
    draws = sample(np.tile(LOGITS, (20_000, 1)), rng)
    frequencies = np.bincount(draws, minlength=5) / len(draws)
    # 4.5 standard deviations of a binomial share
    np.testing.assert_allclose(frequencies, np.exp(LOGITS), atol=4.5 * 0.5 / np.sqrt(len(draws)))


def test_draws_never_leave_what_was_kept() -> None:
    rng = np.random.default_rng(0)
    assert set(sample(np.tile(LOGITS, (500, 1)), rng, top_k=2).tolist()) == {1, 3}
    assert set(sample(np.tile(LOGITS, (500, 1)), rng, top_p=0.6).tolist()) == {1, 3}
    assert set(sample(np.tile(LOGITS, (500, 1)), rng, top_k=1, top_p=0.9, temperature=2.0).tolist()) == {1}


def test_a_seed_fixes_the_draws_and_inputs_stay() -> None:
    logits = np.tile(LOGITS, (50, 1)).astype(np.float32)
    before = logits.copy()
    first = sample(logits, np.random.default_rng(3), temperature=0.7, top_k=4, top_p=0.9)
    second = sample(logits, np.random.default_rng(3), temperature=0.7, top_k=4, top_p=0.9)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(logits, before)
    assert first.dtype == np.int64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature must be a finite number >= 0, got -1.0"),
        ({"temperature": float("nan")}, "temperature must be"),
        ({"top_k": 0}, "k must be an integer >= 1, got 0"),
        ({"top_p": 0.0}, "p must be a finite number > 0 and <= 1, got 0.0"),
        ({"top_p": 1.5}, "p must be a finite number > 0 and <= 1, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(LOGITS, np.random.default_rng(0), **settings)


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf, 1.0], [-np.inf, -np.inf], []])
def test_logits_without_a_finite_largest_are_refused(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="logit"):
        sample(np.array(bad), np.random.default_rng(0))
