"""Progress: a bar in a terminal, a line for each record elsewhere; both on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from collections import deque
from types import TracebackType
from typing import Any

from weft.train.history import FIRST_COLUMNS, Record

_REFRESH = 0.1  # seconds; drawing at every step would cost more than a small step
_SPEED_OVER = 100  # drawings, that is about ten seconds


class Progress:
    """Shows how far training is: epoch, step, loss, other metrics, tokens/s, time left.

    `due` says cheaply whether it is time to draw; `show` draws the bar; `note` prints a record where there is
    no bar.
    """

    def __init__(self, shown: bool) -> None:
        self._bar: Any = None
        self._lines = False
        self._next = 0.0
        self._begun = time.monotonic()
        self._from: float | None = None
        self._passed: deque[tuple[float, int]] = deque(maxlen=_SPEED_OVER)
        if shown and sys.stderr.isatty():
            self._bar = _bar()
        else:
            self._lines = shown

    @property
    def due(self) -> bool:
        """Whether the bar wants to be drawn."""
        return self._bar is not None and time.monotonic() >= self._next

    def show(self, fraction: float, epoch: int, step: int, tokens: int, means: dict[str, float]) -> None:
        """Draws the bar; what matters most comes first, for a narrow terminal. fraction: done so far."""
        if self._bar is None:
            return
        now = time.monotonic()
        self._next = now + _REFRESH
        text = [self._left(fraction, now), *(_named(name, value) for name, value in means.items())]
        self._passed.append((now, tokens))
        since, before = self._passed[0]
        if now > since:
            text.append(f"{_short((tokens - before) / (now - since))} tokens/s")
        text += [f"step {step:,}", f"epoch {epoch}"]
        self._bar.n = round(100 * min(1.0, fraction), 1)
        self._bar.ncols = shutil.get_terminal_size().columns
        self._bar.set_description_str("  ".join(text), refresh=False)
        self._bar.refresh()

    def _left(self, fraction: float, now: float) -> str:
        """The time left, if it goes on as since the first drawing (after a resume, much was done before)."""
        if self._from is None:
            self._from, self._begun = fraction, now
        if fraction <= self._from:
            return "-:-- left"
        return f"{_clock((now - self._begun) * max(0.0, 1 - fraction) / (fraction - self._from))} left"

    def note(self, record: Record) -> None:
        """Prints a record as a line, where there is no bar."""
        if self._lines:
            shown = [
                _named(name, value)
                for name, value in record.items()
                if name not in FIRST_COLUMNS and name != "grad_norm"
            ]
            head = [f"epoch {record['epoch']:.0f}", f"step {record['step']:,.0f}"]
            if "tokens_per_second" in record:
                shown.append(f"{record['tokens_per_second']:,.0f} tokens/s")
            print("  ".join([*head, *shown, _clock(record["seconds"])]), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Prints a message, above the bar if there is one."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        elif self._lines:
            print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar() -> Any:
    from tqdm import tqdm  # here, because importing it takes longer than the rest of weft

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no thread that would watch over the bar: `show` draws it

    # With the numbers of columns and rows given, tqdm does not ask a terminal that does not know its size.
    columns = shutil.get_terminal_size().columns
    layout = "{percentage:3.0f}%|{bar:10}| {desc}"
    return Bar(total=100.0, bar_format=layout, file=sys.stderr, ncols=columns, nrows=20)


def _named(name: str, value: float) -> str:
    return f"{name.replace('_', ' ')} {value:.4g}"


def _short(number: float) -> str:
    """Three digits or more, in thousands or millions.

    >>> _short(812.3), _short(45_123), _short(1_234_567)
    ('812', '45.1k', '1.23M')
    """
    if number < 1e4:
        return f"{number:,.0f}"
    return f"{number / 1e3:.1f}k" if number < 1e6 else f"{number / 1e6:.2f}M"


def _clock(seconds: float) -> str:
    """1:02:03 or 2:03.

    >>> _clock(3723), _clock(123.4)
    ('1:02:03', '2:03')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
