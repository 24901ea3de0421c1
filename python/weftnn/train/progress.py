"""Progress: a bar in a terminal, a line for each record elsewhere; both on standard error.

Standard error may be absent (a service, pythonw), closed, or go away while training runs (a terminal that is
closed under nohup): then nothing is shown any more, and training goes on.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, TextIO, TypeVar

from weftnn.train.history import FIRST_COLUMNS, NORM, Record

Item = TypeVar("Item")

_MOMENT = 1.0  # seconds that may pass without a bar
_REFRESH = 0.1  # seconds; drawing at every step would cost more than a small step
_SPEED_OVER = 100  # drawings, that is about ten seconds


class Progress:
    """Shows how far training is: epoch, step, loss, other metrics, tokens/s, time left.

    `due` says cheaply whether it is time to draw; `show` draws the bar; `note` prints a record where there is
    no bar.
    """

    def __init__(self, shown: bool) -> None:
        self._stream = sys.stderr if shown else None
        self._bar: _Bar | None = None
        self._done = 0.0
        self._next = 0.0
        self._begun = time.monotonic()
        self._from: float | None = None
        self._passed: deque[tuple[float, int]] = deque(maxlen=_SPEED_OVER)
        if self._stream is not None and _is_terminal(self._stream):
            self._bar = _Bar(self._stream, total=100.0, bar_format="{percentage:3.0f}%|{bar:10}| {desc}")

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
        self._done = round(100 * min(1.0, fraction), 1)
        self._bar.draw(self._done, "  ".join(text))

    def busy(self, what: str) -> None:
        """Says in the bar what keeps training waiting, such as a validation."""
        if self._bar is not None:
            self._bar.draw(self._done, f"{what} ...")
            self._next = 0.0

    def _left(self, fraction: float, now: float) -> str:
        """The time left, if it goes on as since the first drawing (after a resume, much was done before)."""
        if self._from is None:
            self._from, self._begun = fraction, now
        if fraction <= self._from:
            return "-:-- left"
        return f"{_clock((now - self._begun) * max(0.0, 1 - fraction) / (fraction - self._from))} left"

    def note(self, record: Record) -> None:
        """Prints a record as a line, where there is no bar."""
        if self._bar is not None:
            return
        shown = [
            _named(name, value)
            for name, value in record.items()
            if name not in FIRST_COLUMNS and name != NORM
        ]
        head = [f"epoch {record['epoch']:.0f}", f"step {record['step']:,.0f}"]
        if "tokens_per_second" in record:
            shown.append(f"{record['tokens_per_second']:,.0f} tokens/s")
        self.say("  ".join([*head, *shown, _clock(record["seconds"])]))

    def say(self, text: str) -> None:
        """Prints a message, above the bar if there is one."""
        if self._bar is not None:
            self._bar.say(text)
        elif self._stream is not None:
            try:
                print(text, file=self._stream, flush=True)
            except (OSError, ValueError):  # ValueError: it was closed
                self._stream = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def with_bar(items: Iterable[Item], total: int, name: str, shown: bool) -> Iterator[Item]:
    """The items one by one, beside a bar of that name in a terminal, if they take more than a moment."""
    stream = sys.stderr if shown else None
    if stream is None or not _is_terminal(stream):
        yield from items
        return
    bar, next_time = None, time.monotonic() + _MOMENT
    try:
        for done, item in enumerate(items):
            if time.monotonic() >= next_time:
                bar = bar or _Bar(stream, total=total, initial=done, leave=False)
                bar.draw(done, name)
                next_time = time.monotonic() + _REFRESH
            yield item
    finally:
        if bar is not None:
            bar.close()


class _Bar:
    """A bar of tqdm's as wide as the terminal of its stream; silent where that cannot be written to."""

    def __init__(self, stream: TextIO, **options: Any) -> None:
        from tqdm import tqdm  # here, because importing it takes longer than the rest of weft

        class Bar(tqdm):  # type: ignore[misc]
            monitor_interval = 0  # no thread that would watch over the bar: whoever has it draws it

        self._stream = stream
        # With the numbers of columns and rows given, tqdm asks no terminal that does not know its size.
        # With a delay it draws nothing by itself: in `draw` alone a failure is caught.
        self._bar = Bar(file=stream, ncols=_columns(stream), nrows=20, delay=1, **options)
        self._bar.delay = 0

    def draw(self, done: float, text: str) -> None:
        """Draws the bar where it is, with so much done."""

        def draw() -> None:
            self._bar.n, self._bar.ncols = done, _columns(self._stream)
            self._bar.set_description_str(text, refresh=False)
            self._bar.refresh(nolock=True)  # tqdm would keep its lock if drawing failed

        self._unless_it_fails(draw)

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._unless_it_fails(lambda: self._bar.write(text, file=self._stream))

    def close(self) -> None:
        """Ends the bar's line, or removes it if it is not to be left."""
        self._unless_it_fails(self._bar.close)

    def _unless_it_fails(self, write: Callable[[], object]) -> None:
        if self._bar.disable:
            return
        try:
            write()
        except (OSError, ValueError):  # ValueError: the stream was closed
            # Closed without a further write: one that is only left would keep its place above later bars.
            self._bar.fp, self._bar.sp = io.StringIO(), lambda text: None
            self._bar.close()


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, OSError, ValueError):  # not quite a file; closed
        return False


def _columns(stream: Any) -> int:
    """The width of the terminal that the stream goes to; of one that does not know it, COLUMNS or 80."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        columns = 0
    given = os.environ.get("COLUMNS", "")
    return columns or (int(given) if given.isdecimal() and given.isascii() else 0) or 80


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
