"""Progress: lines, a bar in a terminal, and a standard error that goes away."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

import numpy as np
import pytest

from linear_trainer import linear, linear_data, trainer_of
from weftnn.models import LanguageModel, bits_per_byte
from weftnn.train import progress


def test_progress_prints_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    trainer_of(linear()).fit(linear_data(), epochs=2, validation=linear_data())
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first.startswith("epoch 1  step 4  loss ") and "validation loss" in second and "tokens/s" in second


def test_progress_is_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    trainer_of(linear()).fit(linear_data(), epochs=3)
    last = capsys.readouterr().err.split("\r")[-1]
    for word in ("epoch 3", "step 12", "loss", "tokens/s", "left", "100%"):
        assert word in last, last


class Unwritable(io.StringIO):
    """A standard error that goes away after so many writes."""

    def __init__(self, writes: int, error: Exception, terminal: bool) -> None:
        super().__init__()
        self.writes, self.error, self.terminal = writes, error, terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, text: str) -> int:
        self.writes -= 1
        if self.writes < 0:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("writes", [0, 1, 3])
@pytest.mark.parametrize("error", [OSError(errno.EIO, "gone"), BrokenPipeError(), ValueError("closed file")])
def test_training_goes_on_where_standard_error_goes_away(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, writes: int, error: Exception
) -> None:
    monkeypatch.setattr(sys, "stderr", Unwritable(writes, error, terminal))
    history = trainer_of(linear()).fit(linear_data(), epochs=3, validation=linear_data())
    assert history.stopped == "epochs"
    assert bits_of_a_text() > 0
    trainer_of(linear()).fit(linear_data(), epochs=1)  # nothing is left locked


def bits_of_a_text() -> float:
    model = LanguageModel(hidden_size=4, rng=0)
    return bits_per_byte(model, np.zeros(2000, np.uint8), progress=True)


@pytest.mark.parametrize("closed", [False, True])
def test_training_goes_on_without_standard_error(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    assert trainer_of(linear()).fit(linear_data(), epochs=1).stopped == "epochs"
    assert bits_of_a_text() > 0


def test_the_bar_is_as_wide_as_the_terminal_it_is_drawn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output may be a file, or another terminal of another width."""

    def size(descriptor: int) -> os.terminal_size:
        if descriptor != 77:
            raise OSError(errno.ENOTTY, "not the bar's")
        return os.terminal_size((43, 20))

    stream = Unwritable(10**9, OSError(), terminal=True)
    stream.fileno = lambda: 77  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(os, "get_terminal_size", size)
    monkeypatch.setenv("COLUMNS", "200")
    trainer_of(linear()).fit(linear_data(), epochs=3)
    drawn = stream.getvalue().replace("\n", "\r").split("\r")
    assert max(map(len, drawn)) == 43


def test_a_bar_says_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Unwritable(10**9, OSError(), terminal=True)
    monkeypatch.setattr(sys, "stderr", stream)
    trainer_of(linear()).fit(linear_data(), epochs=1, validation=linear_data())
    assert "validating ..." in stream.getvalue()
    monkeypatch.setattr(progress, "_MOMENT", 0.0)
    bits_of_a_text()
    assert "scoring text" in stream.getvalue()
