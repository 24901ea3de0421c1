"""The programs in examples/, built as their README says: they compute what Python does."""

from __future__ import annotations

import sys
import wave
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import weftnn
from native_program import EXAMPLES, build, run
from weftnn.models import GPT, ByteModel, LanguageModel


@pytest.fixture(scope="module")
def sample_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(EXAMPLES / "sample_text", tmp_path_factory.mktemp("sample_text")) / "sample_text"


@pytest.mark.parametrize(
    "model",
    [
        LanguageModel("lstm", embedding_size=8, hidden_size=32, num_layers=2, rng=0),
        GPT(hidden_size=16, num_layers=2, num_heads=2, context=16, rng=0),
        GPT(hidden_size=16, num_layers=1, num_heads=2, context=15, positions="learned", rng=0),
    ],
    ids=["lstm", "gpt", "gpt of odd context"],
)
def test_sampled_text_is_pythons(model: ByteModel, sample_text: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    prompt, length = "The value of a long prompt", 100  # beyond the window, more than once
    text = run(sample_text, path, "--prompt", prompt, "--length", str(length), "--temperature", "0")
    assert text == prompt.encode() + bytes(islice(model.generate(prompt.encode(), temperature=0), length))


def test_sampling_obeys_its_seed_and_top_k(sample_text: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    LanguageModel("gru", embedding_size=8, hidden_size=16, rng=0).save(path)
    options = [["--seed", "1"], ["--seed", "1"], ["--seed", "2"], ["--top-k", "1"], ["--temperature", "0"]]
    first, again, other, top, cold = (run(sample_text, path, *extra) for extra in options)
    assert first == again != other
    assert top == cold


@pytest.fixture(scope="module")
def effect(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The program, and a model that its script has just trained."""
    folder = tmp_path_factory.mktemp("audio_effect")
    said = run(
        sys.executable, EXAMPLES / "audio_effect" / "train.py", folder / "amplifier.safetensors"
    ).decode()
    assert float(said.splitlines()[-1].split(":")[-1].split("%")[0]) < 10  # of the energy
    program = build(EXAMPLES / "audio_effect", folder / "build") / "effect"
    return program, folder / "amplifier.safetensors"


def read_wav(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return samples.reshape(-1, file.getnchannels())


def test_the_effect_computes_what_a_stream_does(effect: tuple[Path, Path], tmp_path: Path) -> None:
    program, model = effect
    sound = np.random.default_rng(0).integers(-20000, 20000, size=(1000, 3)).astype("<i2")  # no whole blocks
    with wave.open(str(tmp_path / "in.wav"), "wb") as file:
        file.setparams((3, 2, 48000, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    run(program, model, tmp_path / "out.wav", tmp_path / "in.wav")
    result = read_wav(tmp_path / "out.wav")
    stream = weftnn.Stream(model)
    for channel in range(3):
        stream.reset()
        y = stream.process((sound[:, channel, None] / 32768).astype(np.float32))
        expected = np.rint(np.clip(y, -1, 1) * np.float32(32767)).astype("<i2")
        np.testing.assert_array_equal(result[:, channel], expected[:, 0])


def test_the_effect_plays_a_tone(effect: tuple[Path, Path], tmp_path: Path) -> None:
    program, model = effect
    said = run(program, model, tmp_path / "out.wav").decode()
    assert "% of real time" in said
    assert np.abs(read_wav(tmp_path / "out.wav")).max() > 1000
    wrong = tmp_path / "wrong.wav"
    wrong.write_bytes(b"RIFF")
    with pytest.raises(pytest.fail.Exception, match="no WAV file"):
        run(program, model, tmp_path / "out.wav", wrong)
