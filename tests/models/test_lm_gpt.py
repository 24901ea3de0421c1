"""The GPT: gradients, what a byte sees, training, files. Longer texts are in test_lm_context.py."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpt_cases import KINDS, TEXT, C, make
from weftnn import data, nn, optim
from weftnn.files import read_safetensors, write_safetensors
from weftnn.models import GPT, ByteModel, LanguageModel, bits_per_byte
from weftnn.train import Trainer


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_gradients_agree_with_finite_differences(settings: dict[str, Any]) -> None:
    model, loss_fn = make(dropout=0.2, **settings), nn.CrossEntropyLoss()
    x, y = TEXT[:18].reshape(2, 9), TEXT[1:19].reshape(2, 9)
    randomness = model.random_state()

    def loss() -> float:
        model.load_random_state(randomness)  # the same masks every time
        return float(loss_fn.predict(model(x)[0], y))

    logits, backprop = model(x)
    assert backprop(loss_fn(logits, y)[1]()) is None
    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        used = np.flatnonzero(parameter.grad)
        for index in rng.choice(used, min(6, used.size), replace=False):
            place = np.unravel_index(index, parameter.shape)
            value = parameter.data[place]
            parameter.data[place] = value + 1e-6
            above = loss()
            parameter.data[place] = value - 1e-6
            below = loss()
            parameter.data[place] = value
            expected = (above - below) / 2e-6
            assert parameter.grad[place] == pytest.approx(expected, abs=1e-8, rel=1e-5), (name, place)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_no_byte_sees_a_later_one_or_another_row(settings: dict[str, Any]) -> None:
    model = make(**settings)
    x = TEXT[: 2 * C].reshape(2, C)
    changed = x.copy()
    changed[0, 9:] += 1
    logits, other = model.predict(x), model.predict(changed)
    np.testing.assert_array_equal(logits[0, :9], other[0, :9])
    np.testing.assert_array_equal(logits[1], other[1])
    assert not np.allclose(logits[0, 9:], other[0, 9:])
    np.testing.assert_array_equal(model(x)[0], logits)


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_the_order_of_the_bytes_matters(settings: dict[str, Any]) -> None:
    """Of the earlier ones too, which only positions tell to a single layer."""
    model = make(**{**settings, "num_layers": 1})
    x = TEXT[None, :C]
    swapped = x.copy()
    swapped[0, [2, 9]] = x[0, [9, 2]]
    assert x[0, 2] != x[0, 9]
    assert not np.allclose(model.predict(x)[0, -1], model.predict(swapped)[0, -1])


def test_dropout_acts_in_training_only_and_follows_the_seed() -> None:
    x = TEXT[None, :C]
    first, second = make(dropout=0.5, rng=3), make(dropout=0.5, rng=3)
    logits, _ = first(x)
    np.testing.assert_array_equal(logits, second(x)[0])
    assert not np.allclose(logits, first.predict(x))
    assert not np.allclose(logits, first(x)[0])


# ---- training ----


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_it_learns_a_short_text(settings: dict[str, Any]) -> None:
    model = GPT(**{"hidden_size": 24, "num_layers": 2, "num_heads": 2, "context": C, "rng": 0, **settings})
    stream = data.TextStream(np.tile(TEXT, 4), batch_size=8, sequence_length=C, seed=0)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.AdamW(model.parameters(), lr=0.01), clip_norm=1.0)
    history = trainer.fit(stream, steps=150, log_every=10, progress=False)
    assert history.records[0]["loss"] > 2
    assert history.last["loss"] < 0.5
    assert bits_per_byte(model, TEXT) < 1
    assert b"weft" in bytes(islice(model.generate(b"Warp and ", rng=0), 60))


def test_a_resumed_training_gives_the_same_bits(tmp_path: Path) -> None:
    def trainer() -> Trainer:
        model = make(dropout=0.1, dtype="float32")
        return Trainer(model, nn.CrossEntropyLoss(), optim.AdamW(model.parameters()), clip_norm=1.0)

    stream = data.TextStream(np.tile(TEXT, 4), batch_size=4, sequence_length=C, seed=0)
    whole, half = trainer(), trainer()
    whole.fit(stream, steps=12, progress=False)
    half.fit(stream, steps=5, progress=False)
    half.save(tmp_path)
    resumed = trainer().resume(tmp_path)
    resumed.fit(stream, steps=12, progress=False)
    for name, array in whole.model.state_dict().items():
        np.testing.assert_array_equal(resumed.model.state_dict()[name], array, err_msg=name)


# ---- files ----


@pytest.mark.parametrize("settings", KINDS, ids=str)
def test_a_file_alone_rebuilds_the_model(settings: dict[str, Any], tmp_path: Path) -> None:
    model = make(dropout=0.25, **settings)
    model.save(tmp_path / "model.safetensors")
    for kind in (GPT, ByteModel):
        loaded = kind.load(tmp_path)
        assert isinstance(loaded, GPT)
        assert loaded.config == model.config
        assert len(loaded.parameters()) == len(model.parameters())
        np.testing.assert_array_equal(loaded.predict(TEXT[None, :C]), model.predict(TEXT[None, :C]))
    _, metadata = read_safetensors(tmp_path / "model.safetensors")
    description = json.loads(metadata["weft"])
    assert description | {"model": "GPT", "config": model.config} == description


def test_a_model_of_the_other_kind_is_named(tmp_path: Path) -> None:
    make().save(tmp_path / "gpt")
    LanguageModel(hidden_size=4).save(tmp_path / "gru")
    with pytest.raises(ValueError, match=r"LanguageModel\.load: .*: a GPT, not a LanguageModel"):
        LanguageModel.load(tmp_path / "gpt")
    with pytest.raises(ValueError, match=r"GPT\.load: .*: a LanguageModel, not a GPT"):
        GPT.load(tmp_path / "gru")
    assert isinstance(ByteModel.load(tmp_path / "gru"), LanguageModel)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be an integer >= 1, got 0"),
        ({"num_layers": 0}, "num_layers must be an integer >= 1, got 0"),
        ({"num_heads": 0}, "num_heads must be an integer >= 1, got 0"),
        ({"context": 0}, "context must be an integer >= 1, got 0"),
        ({"num_heads": 5}, "num_heads must divide hidden_size = 12, got 5"),
        ({"num_heads": 4, "positions": "rotary"}, "must be even for rotary positions, got 12 / 4"),
        ({"positions": "none"}, "positions must be one of 'learned', 'rotary', 'alibi', got 'none'"),
        ({"dropout": 1.0}, "dropout must be a finite number >= 0 and < 1, got 1.0"),
    ],
)
def test_settings_that_make_no_model_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"GPT: .*{message}"):
        make(**settings)


LEARNED = make(positions="learned")


def described(**changes: Any) -> dict[str, str]:
    description: dict[str, Any] = {"format": 1, "model": "GPT", "config": LEARNED.config.copy()}
    for name, value in changes.items():
        (description if name in description else description["config"])[name] = value
    return {"weft": json.dumps(description)}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (described(model="ByteModel"), "not a language model of weft"),
        (described(model="LanguageModel"), "a LanguageModel, not a GPT"),
        (described(model=["GPT"]), "not a language model of weft"),
        (described(format=2), "format must be 1, got 2"),
        (described(config={}), "config must have the entries"),
        (described(cell="gru"), "config must have the entries"),
        (described(positions="rm -rf"), "positions must be one of"),
        (described(positions=["learned"]), "positions must be one of"),
        (described(positions="rotary"), r"unexpected positions\.weight"),
        (described(dtype="object"), "dtype must be one of"),
        (described(tie_weights="no"), "tie_weights must be true or false"),
        (described(tie_weights=True), "one tied weight"),
        (described(dropout="much"), "dropout must be"),
        (described(hidden_size="12"), "hidden_size must be an integer"),
        (described(hidden_size=10**15), r"embedding\.weight must be"),
        (described(context=10**15), r"positions\.weight must be"),
        (described(num_layers=10**15), r"layers\.2\.linear1\.weight .* is missing"),
        (described(num_heads=5), "num_heads must divide"),
        (described(num_heads=0), "num_heads must be an integer"),
    ],
)
def test_files_that_lie_are_refused(metadata: dict[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, LEARNED.state_dict(), metadata)
    with pytest.raises(ValueError, match=message) as error:
        GPT.load(path)
    assert str(path) in str(error.value)
