"""bench/compare.py runs, checks its results before it times them, and says what it cannot do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.compare
pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[2] / "bench" / "compare.py"


def compare(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(SCRIPT), "--quick", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def figures(tmp_path: Path, *arguments: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of a run that went well, and the lines of its tables."""
    file = tmp_path / "figures.json"
    answer = compare(*arguments, "--json", str(file))
    assert answer.returncode == 0, answer.stderr
    table = [line for line in answer.stdout.splitlines() if line.startswith("|")]
    return json.loads(file.read_text())["rows"], table


def test_a_row(tmp_path: Path) -> None:
    rows, table = figures(tmp_path, "--peers", "torch", "--rows", "rnn", "128,32", "--peak", "100")
    assert len(table) == 2 + len(rows) == 4  # training and inference
    for row in rows:
        assert row["ratio"]["torch"] == row["seconds"]["torch"] / row["seconds"]["weft"]
        assert 0 < row["error"]["torch"] < 1e-4
        assert row["of_peak"] == pytest.approx(row["gflops"] / 100)


@pytest.mark.parametrize(("peer", "mode"), [("jax", "train"), ("onnxruntime", "infer")])
@pytest.mark.parametrize("layer", ["lstm", "gru", "rnn"])
def test_peers(tmp_path: Path, peer: str, mode: str, layer: str) -> None:
    """What JAX and ONNX Runtime compute is what weft does."""
    pytest.importorskip(peer)
    rows, _ = figures(tmp_path, "--peers", peer, "--group", "small", "--rows", layer, "50,1,32", mode)
    assert len(rows) == 1
    assert peer in rows[0]["error"]


@pytest.mark.parametrize(
    ("group", "word"),
    [
        ("cells", "rnn"),
        ("model", "rnn"),
        ("ragged", "gru 200"),
        ("float64", "gru"),
        ("attention", "32,4,128,32 train"),
        ("attention", "window 256,0 infer"),
    ],
)
def test_kinds_of_rows(tmp_path: Path, group: str, word: str) -> None:
    rows, _ = figures(tmp_path, "--peers", "torch", "--group", group, "--rows", word)
    assert len(rows) == 1
    assert "torch" in rows[0]["error"]


def test_threads_beside_one(tmp_path: Path) -> None:
    rows, _ = figures(tmp_path, "--group", "scaling", "--rows", "rnn", "50,1,32")
    assert [row["error"] for row in rows] == [{"1 thread": 0}] * 2  # the same bits


def test_a_ragged_batch_beside_a_dense_one(tmp_path: Path) -> None:
    rows, _ = figures(tmp_path, "--group", "padding", "--rows", "gru", "32,64,128")
    assert [set(row["ratio"]) for row in rows] == [{"ragged"}]


def test_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- figures: small avx2 -->\nold\n<!-- end -->\nafter\n")
    rows = ("--group", "small", "--rows", "rnn", "50,1,32", "--isa", "avx2", "--peers", "torch")
    answer = compare(*rows, "--markdown", str(page))
    assert answer.returncode == 0, answer.stderr
    text = page.read_text()
    assert text.startswith("before\n<!--") and text.endswith("-->\nafter\n") and "old" not in text
    assert "(avx2)" in text and "| RNN 50,1,32,32 train |" in text


def test_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    machine = tmp_path / "machine.json"
    peaks = {isa: {"float32": 100, "float64": 50} for isa in ("baseline", "avx2", "avx512")}
    machine.write_text(json.dumps({"gflops": peaks, "read_gbs": 20}))
    rows = ("--group", "small", "--rows", "rnn", "50,1,32", "--peers", "torch")
    answer = compare(*rows, "--machine", str(machine), "--picture", str(tmp_path / "picture.png"))
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "picture.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("option", "value"), [("--rows", "abacus"), ("--peers", "abacus"), ("--group", "abacus")]
)
def test_what_is_unknown(option: str, value: str) -> None:
    answer = compare(option, value)
    assert answer.returncode == 2
    assert "abacus" in answer.stderr


def test_what_cannot_be() -> None:
    pytest.importorskip("onnxruntime")
    answer = compare("--isa", "avx2", "--peers", "onnxruntime")
    assert answer.returncode == 2
    assert "onnxruntime cannot be kept to avx2" in answer.stderr
