"""What weftnn.config takes: threads from the environment, precision, instruction sets."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import weftnn
import weftnn.config


def run(program: str, **environment: str) -> str:
    """The output of a fresh Python."""
    answer = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_the_baseline_is_always_there() -> None:
    assert weftnn.config.available_isas()[0] == "baseline"


@pytest.mark.parametrize("word", ["highest", "high", "medium"])
def test_precision(word: str) -> None:
    before = weftnn.config.get_precision()
    try:
        weftnn.config.set_precision(word)
        assert weftnn.config.get_precision() == word
    finally:
        weftnn.config.set_precision(before)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^set_precision: precision must be one of .*got 'low'"):
        weftnn.config.set_precision("low")


@pytest.mark.parametrize("variable", ["WEFT_NUM_THREADS", "OMP_NUM_THREADS"])
def test_threads_from_the_environment(variable: str) -> None:
    assert run("import weftnn; print(weftnn.get_num_threads())", **{variable: "3"}) == "3"


def test_threads_as_set() -> None:
    weftnn.set_num_threads(5)
    assert weftnn.get_num_threads() == 5
