"""Signals: the first saves and ends, the second ends at once; what is ignored stays ignored."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from checkpoints import small_trainer, source
from weftnn import train
from weftnn.train.checkpoint import read_checkpoint
from weftnn.train.interrupt import Interrupt

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """As in a program that was started by hand, and as they were after each test."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def at_step(step: int, act: Callable[[], object]) -> Callable[[train.Trainer, Any], None]:
    return lambda trainer, record: act() if record["step"] == step else None  # type: ignore[func-returns-value]


def fit(callback: Any, trainer: train.Trainer | None = None, **options: Any) -> train.History:
    trainer = trainer or small_trainer()
    return trainer.fit(source(), steps=6, log_every=1, callbacks=[callback], progress=False, **options)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_saves_and_ends(tmp_path: Path, number: int) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    history = fit(at_step(3, lambda: signal.raise_signal(number)), checkpoint_dir=tmp_path)
    assert history.interrupted and history.signal == number and history.last["step"] == 3
    assert read_checkpoint(tmp_path / "last").config["position"]["step"] == 3
    assert [signal.getsignal(each) for each in SIGNALS] == before
    trainer = small_trainer().resume(tmp_path)
    history = fit(at_step(0, lambda: None), trainer, checkpoint_dir=tmp_path)
    assert history.stopped == "steps" and history.signal is None


@pytest.mark.parametrize("number", SIGNALS)
def test_the_second_ends_at_once(tmp_path: Path, number: int) -> None:
    after = []

    def twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(number)
        after.append("never")

    history = fit(at_step(4, twice), checkpoint_dir=tmp_path, save_every=1)
    assert history.interrupted and history.signal == number and not after
    assert read_checkpoint(tmp_path / "last").config["position"]["step"] == 3


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_ignored_stays_ignored(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)
    history = fit(at_step(3, lambda: signal.raise_signal(number)))
    assert history.stopped == "steps" and history.last["step"] == 6 and history.signal is None
    assert signal.getsignal(number) is signal.SIG_IGN


def test_a_program_that_handles_signals_itself_keeps_them() -> None:
    heard = []
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    history = fit(at_step(3, lambda: signal.raise_signal(signal.SIGTERM)))
    assert history.stopped == "steps" and heard == [signal.SIGTERM]


def test_a_handler_of_ones_own_for_ctrl_c_comes_back() -> None:
    def own(number: int, frame: Any) -> None:
        raise AssertionError("training takes Ctrl-C")

    for handler in (own, signal.SIG_DFL):
        signal.signal(signal.SIGINT, handler)
        assert fit(at_step(3, lambda: signal.raise_signal(signal.SIGINT))).interrupted
        assert signal.getsignal(signal.SIGINT) is handler


def test_a_handler_put_there_meanwhile_stays() -> None:
    def own(number: int, frame: Any) -> None: ...

    fit(at_step(3, lambda: signal.signal(signal.SIGINT, own)))
    assert signal.getsignal(signal.SIGINT) is own


def test_a_handler_installed_from_c_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """getsignal gives None for it: Python could not put it back."""
    changed: list[int] = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: changed.append(number))
    assert fit(at_step(0, lambda: None)).stopped == "steps"
    assert not changed


def test_one_fit_inside_another_both_end() -> None:
    inner: list[train.History] = []

    def train_another() -> None:
        inner.append(fit(at_step(2, lambda: signal.raise_signal(signal.SIGINT))))
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler  # the outer goes on to catch

    outer = fit(at_step(3, train_another))
    assert outer.interrupted and outer.last["step"] == 3
    assert inner[0].interrupted and inner[0].last["step"] == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_fit_in_another_thread_leaves_the_handlers_alone() -> None:
    seen: list[Any] = []
    histories: list[train.History] = []

    def run() -> None:
        histories.append(fit(at_step(3, lambda: seen.append(signal.getsignal(signal.SIGINT)))))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler] and histories[0].stopped == "steps"


def test_a_signal_during_the_last_look_is_not_lost() -> None:
    """Training is complete by then, but whoever asked for the end should learn that it came."""
    trainer = small_trainer()

    def evaluate(data: Any) -> dict[str, float]:
        signal.raise_signal(signal.SIGTERM)
        return {"loss": 1.0}

    trainer.evaluate = evaluate  # type: ignore[method-assign]
    history = trainer.fit(source(), steps=5, validation=source(), validate_every=5, progress=False)
    assert history.signal == signal.SIGTERM and history.interrupted and history.last["step"] == 5


def test_nothing_is_left_active_after_an_error() -> None:
    with pytest.raises(RuntimeError), Interrupt():
        raise RuntimeError
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


PROGRAM = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from checkpoints import small_trainer, source
ask = lambda trainer, record: os.kill(os.getpid(), int(sys.argv[1])) if record["step"] == 3 else None
history = small_trainer().fit(source(), steps=6, log_every=1, callbacks=[ask], progress=False)
print(history.stopped, history.last["step"])
"""


@pytest.mark.parametrize(
    ("name", "number"), [("INT", signal.SIGINT), ("HUP", signal.SIGHUP), ("TERM", signal.SIGTERM)]
)
def test_what_the_parent_ignores_stays_ignored(name: str, number: int) -> None:
    """As with `nohup` (HUP), and with a script's `&` (INT)."""
    arguments = [sys.executable, "-c", PROGRAM, str(int(number)), *sys.path]
    ignoring = ["sh", "-c", f'trap "" {name}; exec "$@"', "sh", *arguments]
    done = subprocess.run(ignoring, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["steps", "6"]
