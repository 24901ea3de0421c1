"""Tuples that pass between Python and the kernels by place: both sides' names are compared."""

from __future__ import annotations

import pytest

from weftnn import _core
from weftnn.ops.bindings import checked_names


def test_names_in_another_order_are_refused_at_the_first_call() -> None:
    other = tuple(reversed(_core.sdpa_arguments))
    forward = checked_names(_core.sdpa_forward, sdpa_arguments=other)
    with pytest.raises(ImportError, match="built anew: sdpa_arguments must be"):
        forward()  # type: ignore[call-arg]
    same = _core.recurrent_arguments
    forward = checked_names(_core.sdpa_forward, recurrent_arguments=same, recurrent_results=same)
    with pytest.raises(ImportError, match="built anew: recurrent_results must be"):
        forward()  # type: ignore[call-arg]


def test_the_same_names_cost_nothing() -> None:
    function = checked_names(_core.sdpa_forward, sdpa_arguments=_core.sdpa_arguments)
    assert function is _core.sdpa_forward
