"""What the command advises is a command: pasted into a shell, it does what it was advised for."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tiny_runs import PROSE, TINY, refused
from weftnn.cli import main
from weftnn.cli.lm import scoring
from weftnn.train import History, Trainer

DIVERGING = ["--model", "rnn", "--optimizer", "sgd", "--lr", "1e38", "--clip", "0", "--warmup", "0"]


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "the prose.txt"
    path.write_bytes(PROSE)
    return str(path)


def advised(shown: str) -> list[str]:
    """The arguments of the last command in a message."""
    name, *arguments = shlex.split(shown[shown.rindex("weftnn lm ") :])
    assert name == "weftnn"
    return arguments


@pytest.mark.parametrize("clip", ["0", "1"])
def test_a_run_that_diverged_at_once_begins_again(
    clip: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "a run")
    arguments = ["lm", "train", text, *TINY, "--steps", "20", *DIVERGING, "--clip", clip, "--out", out]
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert f"with --lr 1e+38 and --clip {clip}" in errors
    assert "clip_norm" not in errors
    command = advised(errors)
    assert ("--clip" in command) == (clip == "0")
    assert main(command) == 0
    stored = json.loads((Path(out) / "run.json").read_text())["arguments"]
    assert stored[stored.index("--lr") + 1] == "0.5"
    assert stored[stored.index("--clip") + 1] == "1.0"


def test_a_run_that_diverged_later_goes_on_from_its_checkpoint(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    constant = ["--schedule", "constant", "--warmup", "0", "--optimizer", "sgd", "--model", "rnn"]
    assert main(["lm", "train", text, *TINY, *constant, "--steps", "8", "--out", out]) == 0
    capsys.readouterr()
    assert main(["lm", "train", "--resume", out, "--steps", "16", "--lr", "1e38", "--clip", "0"]) == 1
    output = capsys.readouterr()
    assert "8 steps are done" in output.out
    assert "Go on from the last good checkpoint" in output.err
    assert main(advised(output.err)) == 0
    again = capsys.readouterr().out
    assert "8 steps are done" in again
    assert "learning rate 0.5" in again


def test_the_learning_rate_of_a_resumed_run_is_the_one_it_was_given(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ["lm", "train", text, *TINY, "--schedule", "constant", "--warmup", "0"]
    assert main([*arguments, "--steps", "4", "--out", str(out)]) == 0
    for steps, more, rate in (("8", ["--lr", "0.001"], 0.001), ("12", [], 0.001)):
        assert main(["lm", "train", "--resume", str(out), "--steps", steps, *more]) == 0
        header, *rows = (out / "log.csv").read_text().splitlines()
        assert float(rows[-1].split(",")[header.split(",").index("lr")]) == rate


def test_a_complete_run_and_one_in_the_way(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "a run")
    begun = ["lm", "train", text, *TINY, "--steps", "2", "--out", out]
    assert main(begun) == 0
    sample = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Sample:"))
    assert main([*advised(sample), "--length", "3"]) == 0
    capsys.readouterr()
    assert main(["lm", "train", "--resume", out]) == 2
    assert main(advised(capsys.readouterr().err)) == 0
    refused(begun, f"weftnn lm train --resume {re.escape(shlex.quote(out))}$", capsys)


def test_a_run_that_its_time_limit_ended(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    begun = ["lm", "train", text, *TINY, "--steps", "1000", "--time-limit", "0.001", "--out", out]
    assert main(begun) == 0
    shown = capsys.readouterr().out
    go_on = next(line for line in shown.splitlines() if line.startswith("Continue:"))
    assert main(advised(go_on)) == 0
    again = capsys.readouterr().out
    assert "1,000 steps" in again
    assert re.search(r"\d+ steps are done", again)


def test_ctrl_c_before_anything_is_saved_promises_no_model(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", lambda *_, **__: History(stopped="interrupted"))
        assert main(["lm", "train", text, *TINY, "--steps", "4", "--out", out]) == 130
    shown = capsys.readouterr().out
    assert "No model is saved yet: resuming begins again." in shown
    assert "weftnn lm sample" not in shown
    assert main(advised(shown)) == 0


def test_ctrl_c_while_the_result_is_computed_says_that_the_model_is_saved(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press(*_: object, **__: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(scoring, "bits_per_byte", press)
    assert main(["lm", "train", text, *TINY, "--steps", "4", "--out", str(tmp_path / "a run")]) == 130
    errors = capsys.readouterr().err
    assert "interrupted after training, whose model is saved" in errors
    assert main([*advised(errors), "--length", "3"]) == 0


def test_a_text_that_is_too_short_for_the_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "short.txt"
    for size in (3, 17, 60, 80):
        path.write_bytes(PROSE[:size])
        arguments = ["lm", "train", str(path), *TINY, "--steps", "1"]
        arguments += ["--out", str(tmp_path / f"run {size}")]
        assert main(arguments) == 2
        advice = capsys.readouterr().err.rstrip().rpartition(", or ")[2]
        assert main([*arguments, *advice.split()]) == 0
    path.write_bytes(PROSE[:1])
    refused([*arguments, "--out", str(tmp_path / "none")], "give more text$", capsys)
