"""`weftnn lm train --resume`: the same bits after Ctrl-C, more steps, full disks."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_runs import PROSE, TINY, assert_same, refused, weft, weights
from weftnn.cli import main


def test_ctrl_c_keeps_the_best_and_resuming_gives_the_same_bits(text: str, tmp_path: Path) -> None:
    settings = [*TINY, "--steps", "1500", "--validate-every", "250", "--dropout", "0.2", "--layers", "2"]
    settings.remove("--quiet")  # its lines on standard error tell how far it is
    whole = weft("lm", "train", text, *settings, "--out", str(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr
    cut = tmp_path / "cut run"
    process = subprocess.Popen(
        [sys.executable, "-m", "weftnn", "lm", "train", text, *settings, "--out", str(cut)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if b"step 250 " in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    assert b"Interrupted at step " in output
    assert f"Resume:    weftnn lm train --resume '{cut}'".encode() in output
    assert weft("lm", "sample", str(cut), "--length", "5").returncode == 0
    resumed = weft("lm", "train", "--resume", str(cut))
    assert resumed.returncode == 0, resumed.stderr
    assert_same(weights(cut), weights(tmp_path / "whole"))
    assert_same(weights(cut, "best"), weights(tmp_path / "whole", "best"))
    assert (cut / "sample.txt").read_bytes() == (tmp_path / "whole" / "sample.txt").read_bytes()


def test_a_complete_run_goes_on_with_more_steps(
    run: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(["lm", "train", "--resume", run], r"complete \(8 steps\).*--steps 16", capsys)
    refused(["lm", "train", "--resume", run, "--steps", "8"], "complete", capsys)
    assert main(["lm", "train", "--resume", run, "--steps", "12"]) == 0
    refused(["lm", "train", "--resume", run], r"complete \(12 steps\)", capsys)
    straight = str(tmp_path / "straight")
    constant = ["--schedule", "constant", *TINY]
    assert main(["lm", "train", text, *constant, "--steps", "12", "--out", straight]) == 0
    halves = str(tmp_path / "halves")
    assert main(["lm", "train", text, *constant, "--steps", "6", "--out", halves]) == 0
    assert main(["lm", "train", text, "--resume", halves, "--steps", "12"]) == 0
    assert_same(weights(straight), weights(halves))


def test_what_cannot_be_resumed(
    run: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def resume(folder: str | Path, message: str, *more: str) -> None:
        refused(["lm", "train", "--resume", str(folder), *more], message, capsys)

    resume(tmp_path / "missing", "there is no folder")
    (tmp_path / "bare").mkdir()
    resume(tmp_path / "bare", "holds no run")
    more = ["--steps", "20"]
    resume(run, "--hidden belongs to the run .* it is 12, got 13", "--hidden", "13", *more)
    resume(run, "--tie-weights belongs to the run .* it is not given$", "--tie-weights", *more)
    resume(run, "--validation belongs to the run .* on the last 0.1 of", "--validation", text, *more)
    resume(run, "--out and --resume exclude each other", "--out", str(tmp_path / "new"), *more)
    Path(text).write_bytes(b"too short to train on")
    resume(run, "the text is not the one of the run", *more)
    Path(text).write_bytes(PROSE + b"more")
    resume(run, "the text is not the one of the run", *more)
    Path(text).unlink()
    resume(run, "cannot read the text", *more)
    Path(text).write_bytes(PROSE)
    for damage in (b"", b"{", b"[]", b'{"format": 2}', b"[" * 100_000):
        broken = tmp_path / "broken"
        shutil.copytree(run, broken, dirs_exist_ok=True)
        (broken / "run.json").write_bytes(damage)
        resume(broken, "run.json' is damaged", *more)
    description = json.loads((Path(run) / "run.json").read_text())
    description["arguments"] = ["--hidden", "-3"]
    (broken / "run.json").write_text(json.dumps(description))
    resume(broken, "run.json' is damaged: --hidden must be", *more)
    description["arguments"] = [*TINY, "--hidden", "16"]
    (broken / "run.json").write_text(json.dumps(description))
    resume(broken, "checkpoint is of another model", *more)
    shutil.copytree(run, broken, dirs_exist_ok=True)
    for name in ("model.safetensors", "training.safetensors", "config.json"):
        file = broken / "last" / name
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        resume(broken, "cannot go on with the run", *more)
        file.write_bytes(whole)


def test_a_full_disk_leaves_the_last_checkpoint(run: str, text: str) -> None:
    before = weights(run)

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))

    failed = weft("lm", "train", "--resume", run, "--steps", "20", preexec_fn=no_large_files)
    assert failed.returncode == 1
    assert b"Traceback" not in failed.stderr
    assert b"File too large" in failed.stderr
    assert b"weftnn lm train --resume" in failed.stderr
    assert_same(before, weights(run))
    resumed = weft("lm", "train", "--resume", run, "--steps", "20")
    assert resumed.returncode == 0, resumed.stderr
