"""What every test may use: the machine's ISAs, a restored number of threads, quick hypothesis profiles."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import weftnn

# Kernels are warm after the first call, so a deadline per example would only report a busy machine.
settings.register_profile(
    "weft", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("weft")


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> Iterator[None]:
    """A shell that starts the suite in the background has it ignore Ctrl-C, which some tests press."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """A test that sets the number of threads leaves no trace."""
    before = weftnn.get_num_threads()
    yield
    weftnn.set_num_threads(before)
