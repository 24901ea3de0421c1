"""Standard output and error that are closed, full, or left by their reader: one line, the right status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tiny_runs import PROSE, TINY
from weftnn.models import LanguageModel, bits_per_byte

COMMANDS = {
    "train": ["lm", "train", "prose.txt", *TINY, "--steps", "4", "--out", "run"],
    "sample": ["lm", "sample", "model.safetensors", "--length", "20", "--seed", "1"],
    "eval": ["lm", "eval", "model.safetensors", "prose.txt"],
    "info": ["info"],
    "cmakedir": ["--cmakedir"],
    "version": ["--version"],
    "help": ["lm", "train", "--help"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prose.txt").write_bytes(PROSE)
    LanguageModel(hidden_size=8, rng=0).save(tmp_path / "model.safetensors")
    return tmp_path


def shell(folder: Path, arguments: list[str], redirected: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command with a redirection behind it."""
    script = f'"$@" {redirected}; exit ${{PIPESTATUS[0]}}'
    command = ["bash", "-c", script, "bash", sys.executable, "-m", "weftnn", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, cwd=folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("redirected", [">&-", ">/dev/full"])
@pytest.mark.parametrize("command", COMMANDS)
def test_output_that_cannot_be_written_is_one_line(command: str, redirected: str, folder: Path) -> None:
    code, _, errors = shell(folder, COMMANDS[command], redirected)
    assert code == 1
    (line,) = errors.splitlines()
    reason = "it is closed" if redirected == ">&-" else "No space left on device"
    assert line.startswith("weftnn")
    assert f"cannot write to standard output: {reason}" in line


def test_training_that_nobody_could_read_of_does_not_begin(folder: Path) -> None:
    shell(folder, COMMANDS["train"], ">&-")
    assert not (folder / "run").exists()


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "2> >(true)"])
@pytest.mark.parametrize("command", ["train", "sample", "eval", "info"])
def test_errors_that_cannot_be_written_stop_nothing(command: str, redirected: str, folder: Path) -> None:
    arguments = [word for word in COMMANDS[command] if word != "--quiet"]  # its lines go there
    code, output, _ = shell(folder, arguments, redirected)
    assert code == 0
    assert output.endswith("\n")
    if command == "train":
        assert (folder / "run" / "sample.txt").exists()


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full"])
def test_the_exit_status_tells_where_the_message_cannot(redirected: str, folder: Path) -> None:
    assert shell(folder, ["lm", "sample", "missing"], redirected) == (2, "", "")
    assert shell(folder, ["lm", "sample", "missing"], f"<&- >&- {redirected}")[0] == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_leaves_is_no_error(command: str, folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "weftnn", *COMMANDS[command]]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, timeout=120, cwd=folder)
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


def test_no_file_takes_the_place_of_a_closed_stream(folder: Path) -> None:
    """What libraries print to number 2 would otherwise go into a file that the command writes."""
    script = (
        "import os, sys; from weftnn.cli import main\n"
        "code = main(sys.argv[1:]); os.write(2, b'noise'); print(open('new', 'wb').fileno()); sys.exit(code)"
    )
    words = ["bash", "-c", '"$@" <&- 2>&-', "bash", sys.executable, "-c", script, *COMMANDS["info"]]
    done = subprocess.run(words, capture_output=True, timeout=120, cwd=folder)
    assert done.returncode == 0
    assert int(done.stdout.splitlines()[-1]) > 2


def test_a_score_needs_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    ids = np.frombuffer(PROSE[:200], np.uint8)
    assert bits_per_byte(LanguageModel(hidden_size=8, rng=0), ids, progress=True) > 7
