"""Interrupt: a signal that asks the process to end asks training to stop after the step it is in.

SIGINT (Ctrl-C), SIGTERM (a scheduler, a shutdown) and SIGHUP (the terminal is gone) all do; a second one
stops training at once. A signal that the process ignores stays ignored: nohup and a shell's `&` mean it so.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows has no SIGHUP

_active: list[Interrupt] = []  # those whose blocks run, outermost first; of the main thread alone
_previous: dict[int, Any] = {}  # the handlers that stood before the outermost


class Interrupt:
    """While its block runs, the first signal sets `asked` to its number, the second raises KeyboardInterrupt.

    So the weights are never left half updated. A signal asks all blocks that run, one inside the other. Only
    what Python handles is taken over: a handler that was installed from C could not be put back, and SIGTERM
    and SIGHUP are left to a program that handles them itself. Outside the main thread signals cannot be
    caught, and it does nothing.

    >>> with Interrupt() as interrupt:
    ...     signal.raise_signal(signal.SIGINT)
    ...     interrupt.asked == signal.SIGINT
    True
    """

    def __init__(self) -> None:
        self.asked: int | None = None
        self._catches = False

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._catches = True
            if _active:  # one that is asked already, while a callback of it trains another model
                self.asked = _active[-1].asked
            _active.append(self)
            if len(_active) == 1:
                _take_over()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._catches:
            _active.remove(self)
            if not _active:
                _give_back()


def _take_over() -> None:
    for number in _SIGNALS:
        handler = signal.getsignal(number)  # None: installed from C
        if handler is signal.SIG_DFL or (number == signal.SIGINT and callable(handler)):
            try:
                signal.signal(number, _ask)
            except ValueError:  # the main thread of a subinterpreter, which gets no signals
                return
            _previous[number] = handler


def _give_back() -> None:
    for number, handler in _previous.items():
        if signal.getsignal(number) is _ask:  # unless someone has put another there meanwhile
            signal.signal(number, handler)
    _previous.clear()


def _ask(number: int, frame: FrameType | None) -> None:
    second = any(interrupt.asked is not None for interrupt in _active)
    for interrupt in _active:
        interrupt.asked = number
    if second:
        raise KeyboardInterrupt
