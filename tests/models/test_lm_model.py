"""The language model: gradients, carried state, files, drawing, and its measure."""

from __future__ import annotations

import json
import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weftnn import nn
from weftnn.files import read_safetensors, write_safetensors
from weftnn.models import HeldOutText, LanguageModel, bits_per_byte
from weftnn.models.sampling import probabilities

TEXT = np.frombuffer(("Warp and weft, žluťoučký kůň. " * 4).encode(), np.uint8)
KINDS: list[dict[str, Any]] = [
    {"cell": "rnn"},
    {"cell": "gru", "num_layers": 2},
    {"cell": "lstm"},
    {"cell": "gru", "embedding_size": 7, "hidden_size": 7, "tie_weights": True},
]


def make(rng: int = 0, **settings: Any) -> LanguageModel:
    return LanguageModel(
        **{"embedding_size": 5, "hidden_size": 7, "dtype": "float64", "rng": rng, **settings}
    )


def flat(state: Any) -> np.ndarray:
    return np.concatenate([part.ravel() for part in (state if isinstance(state, tuple) else (state,))])


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_gradients_agree_with_finite_differences(settings: dict[str, Any]) -> None:
    model, loss_fn = make(**settings), nn.CrossEntropyLoss()
    x, y = TEXT[None, :6].repeat(2, axis=0), TEXT[None, 1:7].repeat(2, axis=0)
    (logits, _), backprop = model(x)
    _, loss_backprop = loss_fn(logits, y)
    assert backprop(loss_backprop())[0] is None

    def loss() -> float:
        return float(loss_fn.predict(model.predict(x)[0], y))

    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        touched = np.flatnonzero(parameter.grad) if "embedding" in name else np.arange(parameter.size)
        for index in rng.choice(touched, 4):
            place = np.unravel_index(index, parameter.shape)
            value = parameter.data[place]
            parameter.data[place] = value + 1e-6
            above = loss()
            parameter.data[place] = value - 1e-6
            below = loss()
            parameter.data[place] = value
            expected = (above - below) / 2e-6
            assert parameter.grad[place] == pytest.approx(expected, abs=1e-5, rel=1e-3), (name, place)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_training_and_predicting_carry_the_state(settings: dict[str, Any]) -> None:
    model = make(**settings)
    whole, last = model.predict(TEXT[None])
    (trained, trained_last), _ = model(TEXT[None])
    first, state = model.predict(TEXT[None, :10])
    second, state = model.predict(TEXT[None, 10:], state)
    # The same arithmetic in another order of products: a few units in the last place.
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(flat(state), flat(last), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(trained, whole, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(flat(trained_last), flat(last), rtol=1e-12, atol=1e-13)


def test_dropout_acts_in_training_only_and_follows_the_seed() -> None:
    first, second = make(dropout=0.5, rng=3), make(dropout=0.5, rng=3)
    (logits, _), _ = first(TEXT[None])
    (again, _), _ = second(TEXT[None])
    np.testing.assert_array_equal(logits, again)
    assert not np.allclose(logits, first.predict(TEXT[None])[0])
    (other, _), _ = first(TEXT[None])
    assert not np.allclose(logits, other)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_a_file_alone_rebuilds_the_model(settings: dict[str, Any], tmp_path: Path) -> None:
    model = make(dropout=0.25, **settings)
    model.save(tmp_path / "model.safetensors")
    for path in (tmp_path / "model.safetensors", tmp_path, str(tmp_path)):
        loaded = LanguageModel.load(path)
        assert loaded.config == model.config
        assert len(loaded.parameters()) == len(model.parameters())
        np.testing.assert_array_equal(loaded.predict(TEXT[None])[0], model.predict(TEXT[None])[0])
    _, metadata = read_safetensors(tmp_path / "model.safetensors")
    description = json.loads(metadata["weft"])
    assert description | {"model": "LanguageModel", "config": model.config} == description


def test_a_file_without_a_graph_is_still_a_model(tmp_path: Path) -> None:
    """As versions before graphs wrote it."""
    model = make()
    old = {"format": 1, "model": "LanguageModel", "config": model.config}
    nn.save(model, tmp_path / "m", {"weft": json.dumps(old)})
    np.testing.assert_array_equal(
        LanguageModel.load(tmp_path / "m").predict(TEXT[None])[0], model.predict(TEXT[None])[0]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "transformer"}, "cell must be one of 'rnn', 'lstm', 'gru', got 'transformer'"),
        ({"hidden_size": 0}, "hidden_size must be an integer >= 1, got 0"),
        ({"num_layers": 0}, "num_layers must be an integer >= 1, got 0"),
        ({"dropout": 1.0}, "dropout must be a finite number >= 0 and < 1, got 1.0"),
        ({"tie_weights": True}, "tie_weights needs embedding_size = hidden_size = 7, got 5"),
    ],
)
def test_settings_that_make_no_model_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"LanguageModel: {message}"):
        make(**settings)


def described(**changes: Any) -> dict[str, str]:
    description: dict[str, Any] = {"format": 1, "model": "LanguageModel", "config": dict(make().config)}
    for name, value in changes.items():
        (description if name in description else description["config"])[name] = value
    return {"weft": json.dumps(description)}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "not a model of weft"),
        ({"weft": "{"}, "its description is not JSON"),
        ({"weft": "[" * 100_000}, "its description is not JSON"),
        ({"weft": "[]"}, "not a language model of weft"),
        (described(model="Forecaster"), "not a language model of weft"),
        (described(format=2), "format must be 1, got 2"),
        (described(config={}), "config must have the entries"),
        (described(config=None), "config must have the entries"),
        (described(cell="rm -rf"), "cell must be one of"),
        (described(cell=["gru"]), "cell must be one of"),
        (described(dtype="object"), "dtype must be one of"),
        (described(tie_weights="no"), "tie_weights must be true or false"),
        (described(dropout="much"), "dropout must be"),
        (described(hidden_size="7"), "hidden_size must be an integer"),
        (described(hidden_size=8), "weight_hh_l0 must be"),
        (described(hidden_size=10**15), "weight_hh_l0 must be"),
        (described(embedding_size=10**15), "embedding.weight must be"),
        (described(num_layers=10**15), "weight_hh_l1 .* is missing"),
        (described(cell="lstm"), "weight_hh_l0 must be"),
        (described(tie_weights=True), "tie_weights needs"),
        (described(cell="gru" * 100_000), "cell must be one of"),
        (described(hidden_size=[7] * 100_000), "hidden_size must be an integer"),
        ({"weft": json.dumps({"format": "1" * 100_000, "model": "LanguageModel"})}, "format must be"),
    ],
)
def test_files_that_lie_are_refused(metadata: dict[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, make().state_dict(), metadata)
    with pytest.raises(ValueError, match=message) as error:
        LanguageModel.load(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 1500  # whatever the file holds


def test_truncated_and_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    make().save(path)
    whole = path.read_bytes()
    for content in (
        b"",
        b"weft",
        whole[:100],
        whole[:-1],
        whole[: len(whole) // 2],
        b"\xff" * 1000,
        whole + b"x",
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.safetensors"):
            LanguageModel.load(path)
    write_safetensors(path, make().state_dict() | {"more": np.ones(2)}, described())
    with pytest.raises(ValueError, match="more"):
        LanguageModel.load(path)
    with pytest.raises(FileNotFoundError):
        LanguageModel.load(tmp_path / "missing.safetensors")


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_generating_continues_as_the_whole_text_would(settings: dict[str, Any]) -> None:
    model = make(**settings)
    text = bytearray(b"Warp")
    for byte in islice(model.generate(b"Warp", temperature=0), 12):
        logits, _ = model.predict(np.frombuffer(text, np.uint8)[None].copy())
        assert byte == int(logits[0, -1].argmax())
        text.append(byte)


def test_generating_follows_the_seed_and_takes_long_prompts() -> None:
    model = make()
    prompt = TEXT.tobytes() * 20
    first = bytes(islice(model.generate(prompt, rng=1, top_k=9, top_p=0.9), 20))
    assert first == bytes(islice(model.generate(prompt, rng=1, top_k=9, top_p=0.9), 20))
    assert first != bytes(islice(model.generate(prompt, rng=2, top_k=9, top_p=0.9), 20))
    with pytest.raises(ValueError, match="prompt must hold at least one byte"):
        next(model.generate(b""))


def test_bits_per_byte_is_the_mean_surprise() -> None:
    model = make()
    chances = probabilities(model.predict(TEXT[None, :-1])[0])[0]
    expected = -np.mean(np.log2(chances[np.arange(TEXT.size - 1), TEXT[1:]]))
    assert bits_per_byte(model, TEXT) == pytest.approx(expected, rel=1e-12)


def test_more_streams_change_the_measure_hardly() -> None:
    model = make(rng=1)
    text = np.tile(TEXT, 60)
    assert bits_per_byte(model, text, streams=4) == pytest.approx(bits_per_byte(model, text), abs=1e-3)


@given(
    size=st.integers(2, 400),
    streams=st.integers(1, 9),
    sequence_length=st.integers(1, 50),
    context=st.integers(0, 40),
)
def test_held_out_text_scores_every_byte_but_the_first_once(
    size: int, streams: int, sequence_length: int, context: int
) -> None:
    ids = np.arange(size)
    source = HeldOutText(ids, streams=streams, sequence_length=sequence_length, context=context)
    batches = list(source.batches(0))
    assert len(batches) == len(source)
    assert [batch.continues for batch in batches] == [False] + [True] * (len(batches) - 1)
    scored: list[int] = []
    for batch in batches:
        assert batch.weight is not None
        counted = batch.weight > 0
        np.testing.assert_array_equal(batch.y[counted], batch.x[counted] + 1)  # each target is the next byte
        scored += batch.y[counted].tolist()
    assert sorted(scored) == list(range(1, size))
    assert source.rows <= streams


def test_held_out_text_needs_two_bytes() -> None:
    with pytest.raises(ValueError, match="ids must be"):
        HeldOutText(np.zeros(1, np.uint8))
    assert math.isfinite(bits_per_byte(make(), TEXT[:2]))
