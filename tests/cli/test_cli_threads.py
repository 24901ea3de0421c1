"""`--threads`: no more than there are processors, and a run may go on where there are fewer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import weftnn
from tiny_runs import PROSE, TINY, refused
from weftnn.cli import main
from weftnn.cli.threads import processors


@pytest.mark.parametrize("command", ["train", "sample", "eval"])
def test_more_than_the_processors_are_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = weftnn.get_num_threads()
    for threads in (processors() + 1, 1000, 2**31 - 1):
        message = f"--threads must be at most {processors()}, the number of processors here, got {threads}"
        refused(["lm", command, "missing", f"--threads={threads}"], message, capsys)
    assert weftnn.get_num_threads() == before


def test_a_run_of_a_larger_machine_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prose.txt").write_bytes(PROSE)
    out = tmp_path / "run"
    begun = ["lm", "train", str(tmp_path / "prose.txt"), *TINY, "--steps", "2", "--threads", "1"]
    assert main([*begun, "--out", str(out)]) == 0
    description = json.loads((out / "run.json").read_text())
    arguments = description["arguments"]
    arguments[arguments.index("--threads") + 1] = "1000"
    (out / "run.json").write_text(json.dumps(description))
    capsys.readouterr()
    assert main(["lm", "train", "--resume", str(out), "--steps", "4"]) == 0
    assert f"{processors()} threads" in capsys.readouterr().out
