"""What C++ reads by name and Python passes by position."""

from __future__ import annotations

import pytest

from weftnn import _core
from weftnn.ops.bindings import checked_arguments


def test_arguments_in_another_order_are_refused_at_the_first_call() -> None:
    forward = checked_arguments(_core.sdpa_forward, "SDPA_ARGUMENTS", *reversed(_core.SDPA_ARGUMENTS))
    with pytest.raises(ImportError, match="built anew: SDPA_ARGUMENTS must be"):
        forward()  # type: ignore[call-arg]


def test_arguments_in_order_are_taken() -> None:
    names = _core.SDPA_ARGUMENTS
    assert checked_arguments(_core.sdpa_forward, "SDPA_ARGUMENTS", *names) is _core.sdpa_forward
