"""`weftnn lm` with --model gpt, from end to end: what test_cli_lm.py tests of recurrent models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tiny_runs import PROSE, assert_same, refused, weft, weights
from weftnn.cli import main
from weftnn.models import GPT

TINY = ["--model", "gpt", "--hidden", "12", "--layers", "2", "--heads", "2", "--batch", "4"]
TINY += ["--sequence", "16", "--validate-every", "4", "--sample-length", "30", "--quiet"]


@pytest.fixture
def settings() -> list[str]:
    return TINY


@pytest.mark.parametrize("positions", ["learned", "rotary", "alibi"])
def test_training_leaves_a_model_a_log_and_the_next_commands(
    positions: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    choice = ["--positions", positions, "--steps", "60", "--lr", "0.02", "--out", str(out)]
    assert main(["lm", "train", text, *TINY, *choice]) == 0
    shown = capsys.readouterr().out
    assert f"model     GPT, context 16, {positions} positions, hidden 2 x 12 in 2 heads, float32" in shown
    assert f"weftnn lm train --resume {out} --steps 120" in shown
    header, *rows = (out / "log.csv").read_text().splitlines()
    column = header.split(",").index("loss")
    losses = [float(row.split(",")[column]) for row in rows]
    assert losses[-1] < 0.8 * losses[0]
    assert len((out / "sample.txt").read_bytes()) == 30
    config = GPT.load(out).config
    assert (config["context"], config["positions"]) == (16, positions)


@pytest.mark.parametrize(
    "choice",
    [
        "--optimizer sgd --momentum 0.5 --clip 0 --lr 0.1",
        "--optimizer adam --schedule constant --tie-weights",
        "--dropout 0.3 --dtype float64 --threads 1",
        "--epochs 1 --patience 2 --held-out 0",
    ],
)
def test_every_choice_trains(
    choice: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["lm", "train", text, *TINY, "--steps", "3", *choice.split(), "--out", out]) == 0
    assert "Saved in" in capsys.readouterr().out


def test_defaults_are_its_own(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(text).write_bytes(PROSE * 3)
    out = tmp_path / "run"
    choice = ["--steps", "1", "--quiet", "--sample-length", "0", "--out", str(out)]
    assert main(["lm", "train", text, "--model", "gpt", *choice]) == 0
    config = GPT.load(out).config
    usual = GPT().config
    assert config == usual
    stored = json.loads((out / "run.json").read_text())["arguments"]
    assert {"--heads", "--positions", "--sequence", "--hidden", "--layers"} <= set(stored)
    assert "--embedding" not in stored
    capsys.readouterr()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("--model gpt --embedding 8", "--embedding is not for --model gpt: its embedding has the size of"),
        ("--model gpt --hidden 12 --heads 5", "--heads must divide --hidden = 12, got 5"),
        ("--model gpt --hidden 12 --heads 4 --positions rotary", "--positions rotary needs an even number"),
        ("--model gpt --positions sinus", "--positions must be one of learned, rotary, alibi, got 'sinus'"),
        ("--model lstm --heads 4", "--heads is for --model gpt only, got --model lstm"),
        ("--positions rotary", "--positions is for --model gpt only, got --model gru"),
        ("--model gpt --hidden 2147483640", "--batch 16 and --sequence 64 need about .* GiB of memory"),
    ],
)
def test_what_does_not_fit_is_named(
    choice: str, message: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(text).write_bytes(PROSE * 3)
    out = tmp_path / "out"
    refused(["lm", "train", text, *choice.split(), "--out", str(out)], message, capsys)
    assert not out.exists()


def test_halves_give_the_same_bits_as_the_whole(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [*TINY, "--schedule", "constant", "--dropout", "0.2"]
    whole, halves = str(tmp_path / "whole"), str(tmp_path / "halves")
    assert main(["lm", "train", text, *settings, "--steps", "12", "--out", whole]) == 0
    assert main(["lm", "train", text, *settings, "--steps", "6", "--out", halves]) == 0
    refused(["lm", "train", "--resume", halves, "--heads", "3"], "--heads belongs to the run .* is 2", capsys)
    refused(["lm", "train", "--resume", halves, "--model", "gru"], "--model belongs to the run", capsys)
    assert main(["lm", "train", "--resume", halves, "--steps", "12"]) == 0
    assert_same(weights(whole), weights(halves))
    assert_same(weights(whole, "best"), weights(halves, "best"))
    assert (Path(whole) / "sample.txt").read_bytes() == (Path(halves) / "sample.txt").read_bytes()


def test_sampling_follows_seed_and_prompt_beyond_the_context(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def sampled(*more: str) -> str:
        assert main(["lm", "sample", run, "--length", "100", *more]) == 0
        return capsys.readouterr().out

    assert sampled("--seed", "1") == sampled("--seed", "1") != sampled("--seed", "2")
    prompt = "Žluťoučký kůň and a prompt that is longer than the context is"
    assert sampled("--prompt", prompt, "--seed", "1", "--top-p", "0.9").startswith(prompt)
    assert sampled("--top-k", "1") == sampled("--temperature", "0")


def test_evaluating_repeats_what_training_said(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["lm", "train", text, *TINY, "--steps", "8", "--out", out]) == 0
    said = re.search(r"bytes held out: ([\d.]+) bits per byte", capsys.readouterr().out)
    assert said is not None
    assert main(["lm", "eval", out, text, "--held-out", "0.1"]) == 0
    parts = re.findall(r"([\d.]+) bits per byte", capsys.readouterr().out)
    assert len(parts) == 2
    assert parts[0] == said.group(1)
    refused(["lm", "eval", out, text, "--streams", "3"], "--streams is for recurrent models only", capsys)


def test_a_model_of_nan_is_named(run: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = GPT.load(run)
    model.head.weight.data[...] = np.nan
    path = str(Path(run) / "nan.safetensors")
    model.save(path)
    refused(["lm", "eval", path, text], "the model is spoilt", capsys, code=1)
    assert main(["lm", "sample", path]) == 1
    assert "the largest logit" in capsys.readouterr().err


def test_help_tells_of_it() -> None:
    shown = weft("lm", "train", "--help").stdout.decode()
    for words in ("--model {rnn,lstm,gru,gpt}", "--heads N", "--positions {learned,rotary,alibi}"):
        assert words in shown
