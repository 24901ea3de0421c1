"""The final score: of as much held-out text as training warrants, told so, behind a bar with a name."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from test_cli_lm import PROSE, TINY
from weft.cli import main, scoring
from weft.models import GPT, ByteModel, LanguageModel, evaluation
from weft.train import History


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
    monkeypatch.setattr(History, "plot", lambda history, path: Path(path))
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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_says_what_takes_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    bar = evaluation.tqdm
    at_once = {"delay": 0, "leave": True}
    monkeypatch.setattr(evaluation, "tqdm", lambda **given: bar(**given | at_once))
    scoring.final_score(LanguageModel(hidden_size=4), np.frombuffer(PROSE[:700], np.uint8), progress=True)
    assert "scoring held-out text: 100%" in terminal.getvalue()
    before = terminal.getvalue()
    scoring.final_score(LanguageModel(hidden_size=4), np.frombuffer(PROSE[:700], np.uint8), progress=False)
    assert terminal.getvalue() == before
