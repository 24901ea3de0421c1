"""The final score: of as much held-out text as training warrants, told so, behind a bar with a name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tiny_runs import PROSE, TINY
from weftnn.cli import main
from weftnn.cli.lm import evaluate, scoring
from weftnn.models import GPT, ByteModel, LanguageModel


@pytest.mark.parametrize(
    ("model", "held_out", "trained_on", "scored"),
    [
        (LanguageModel(hidden_size=4), 50_000, 512, 50_000),
        (LanguageModel(hidden_size=4), 10_000_000, 512, 100_000),
        (LanguageModel(hidden_size=4), 10_000_000, 3_000_000, 300_000),
        (GPT(hidden_size=4, num_layers=1, num_heads=1), 10_000_000, 512, 25_000),
        (GPT(hidden_size=4, num_layers=1, num_heads=1), 10_000_000, 3_000_000, 300_000),
        (GPT(hidden_size=4, num_layers=1, num_heads=1), 20, 3_000_000, 20),
    ],
)
def test_a_tenth_of_what_was_trained_on(
    model: ByteModel, held_out: int, trained_on: int, scored: int
) -> None:
    assert scoring.final_bytes(model, np.zeros(held_out, np.uint8), trained_on) == scored


def test_a_part_is_called_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scoring, "_VALIDATED", 100)
    text, out = tmp_path / "prose.txt", tmp_path / "run"
    text.write_bytes(PROSE)
    arguments = ["lm", "train", str(text), *TINY, "--held-out", "0.5", "--steps", "40", "--out", str(out)]
    assert main(arguments) == 0
    said = re.search(r"on the first 256 of ([\d,]+) bytes held out: ([\d.]+) bits", capsys.readouterr().out)
    assert said is not None  # 40 steps of 4 x 16 bytes: a tenth is 256
    held_out = int(said.group(1).replace(",", ""))
    (tmp_path / "part.txt").write_bytes(PROSE[-held_out:][:256])
    assert main(["lm", "eval", str(out), str(tmp_path / "part.txt")]) == 0
    assert f"{said.group(2)} bits per byte" in capsys.readouterr().out


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[bool | str]:
    """What each score is asked to show while it is computed."""
    shown: list[bool | str] = []

    def score(model: ByteModel, ids: object, *, streams: int, progress: bool | str) -> float:
        shown.append(progress)
        return 1.0

    monkeypatch.setattr(scoring, "bits_per_byte", score)
    monkeypatch.setattr(evaluate, "bits_per_byte", score)
    return shown


def test_the_bar_says_what_takes_so_long(tmp_path: Path, bars: list[bool | str]) -> None:
    text, out = tmp_path / "prose.txt", tmp_path / "run"
    text.write_bytes(PROSE)
    tiny = [word for word in TINY if word != "--quiet"]
    assert main(["lm", "train", str(text), *tiny, "--steps", "2", "--out", str(out)]) == 0
    assert main(["lm", "eval", str(out), str(text), "--held-out", "0.1"]) == 0
    assert bars == ["scoring held-out text", "scoring held out (0.1)", "scoring before it"]


def test_a_gpt_is_not_scored_again_on_what_it_was_validated_on(
    tmp_path: Path, bars: list[bool | str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "prose.txt"
    text.write_bytes(PROSE)
    small = ["--model", "gpt", "--hidden", "8", "--heads", "2", "--batch", "4", "--sequence", "16", "--quiet"]
    arguments = ["lm", "train", str(text), *small, "--steps", "2", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    assert bars == []
    assert "bytes held out: " in capsys.readouterr().out
