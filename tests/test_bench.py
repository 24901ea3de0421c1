"""bench/compare.py runs, checks its results before it times them, and says what it cannot do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compare
pytest.importorskip("torch")

SCRIPT = Path(__file__).parent.parent / "bench" / "compare.py"


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(SCRIPT), "--quick", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_row(tmp_path: Path) -> None:
    answer = compare("--rows", "rnn", "128,32", "--threads", "1", "--json", str(tmp_path / "figures.json"))
    assert answer.returncode == 0, answer.stderr
    table = [line for line in answer.stdout.splitlines() if line.startswith("|")]
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert len(table) == 2 + len(rows) == 4  # training and inference
    for row in rows:
        assert row["ratio"]["torch"] == row["seconds"]["torch"] / row["seconds"]["weft"]
        assert 0 < row["error"]["torch"] < 1e-4


@pytest.mark.parametrize(
    ("option", "value"), [("--rows", "abacus"), ("--peers", "abacus"), ("--group", "abacus")]
)
def test_what_is_unknown(option: str, value: str) -> None:
    answer = compare(option, value)
    assert answer.returncode == 2
    assert "abacus" in answer.stderr
