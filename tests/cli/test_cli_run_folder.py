"""`weftnn lm train` and its folder: one run at a time; killed or asked to end at any time, it goes on."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checkpoints import held_by_another_process
from tiny_runs import TINY, assert_same, refused, weft, weights
from weftnn.cli import main
from weftnn.train import Trainer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_save_and_end_too(number: int, text: str, tmp_path: Path) -> None:
    settings = [*TINY, "--steps", "1000000", "--validate-every", "4", "--out", str(tmp_path / "run")]
    settings.remove("--quiet")
    with subprocess.Popen(
        [sys.executable, "-m", "weftnn", "lm", "train", text, *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # the suite may run under nohup
    ) as process:
        assert process.stderr is not None
        assert any(b"step 4 " in line for line in process.stderr)
        process.send_signal(number)
        output, errors = process.communicate()
    assert process.returncode == 128 + number, errors
    assert b"Traceback" not in errors and b"Interrupted at step " in output
    assert weft("lm", "sample", str(tmp_path / "run"), "--length", "5").returncode == 0


def test_a_run_killed_between_its_first_best_and_last_goes_on(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Killed(BaseException):
        pass

    def save(checkpoint: Any, folder: Path) -> None:
        if folder.name == "last":
            raise Killed
        original(checkpoint, folder)

    original, run, whole = Trainer.save, str(tmp_path / "run"), str(tmp_path / "whole")
    arguments = ["lm", "train", text, *TINY, "--steps", "12", "--out"]
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "save", save)
        main([*arguments, run])
    assert not (Path(run) / "last").exists()
    assert main(["lm", "train", "--resume", run]) == 0
    assert "4 steps are done" in capsys.readouterr().out
    assert main([*arguments, whole]) == 0
    assert_same(weights(run), weights(whole))


def test_a_model_whose_first_save_was_killed_at_its_end_is_found(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Saved, but not yet renamed."""
    shutil.rmtree(Path(run) / "last")
    best = Path(run) / "best"
    mark = json.loads((best / "config.json").read_text())["checkpoint"]
    for name in ("model.safetensors", "training.safetensors"):
        (best / name).rename(best / f"{name}.{mark}.new")
    assert main(["lm", "sample", run, "--length", "5"]) == 0
    assert main(["lm", "train", "--resume", run, "--steps", "10"]) == 0
    assert (best / "model.safetensors").exists()


def test_a_folder_in_use_is_refused(run: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = (Path(run) / "run.json").read_bytes()
    with held_by_another_process(Path(run)) as child:
        message = rf"the folder .*run' is in use by the process {child.pid} on '.*' since 2"
        refused(["lm", "train", "--resume", run, "--steps", "20"], message, capsys)
    assert (Path(run) / "run.json").read_bytes() == before
    new = Path(run) / "new"
    new.mkdir()
    with held_by_another_process(new):
        refused(["lm", "train", text, *TINY, "--out", str(new)], "is in use by the process", capsys)
        assert [path.name for path in new.iterdir()] == [".lock"]
    assert main(["lm", "train", text, *TINY, "--steps", "1", "--out", str(new)]) == 0
    assert not (new / ".lock").exists()
