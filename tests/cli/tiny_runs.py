"""Runs of `weftnn lm` that take a second, and how their ends are looked at."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weftnn.cli import main
from weftnn.files import read_safetensors

PROSE = (
    "Warp threads are held taut; the weft runs back and forth through them. Žluťoučký kůň!\n" * 60
).encode()
TINY = ["--hidden", "12", "--embedding", "8", "--batch", "4", "--sequence", "16"]
TINY += ["--validate-every", "4", "--sample-length", "30", "--quiet"]


def weft(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "weftnn", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **options)


def weights(folder: str | Path, which: str = "last") -> dict[str, np.ndarray]:
    return read_safetensors(Path(folder) / which / "model.safetensors")[0]


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], code: int = 2) -> None:
    assert main(arguments) == code
    output = capsys.readouterr()
    assert re.search(message, output.err, re.MULTILINE), output.err
    assert output.err.startswith(f"weftnn lm {arguments[1]}: ")
    assert "Traceback" not in output.err
