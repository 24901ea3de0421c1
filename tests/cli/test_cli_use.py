"""`weftnn lm sample` and `weftnn lm eval` with tiny models."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tiny_runs import TINY, refused, weft
from weftnn.cli import main
from weftnn.models import LanguageModel


def test_sampling_follows_seed_prompt_and_length(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    def sampled(*more: str) -> str:
        assert main(["lm", "sample", run, "--length", "40", *more]) == 0
        return capsys.readouterr().out

    assert sampled("--seed", "1") == sampled("--seed", "1") != sampled("--seed", "2")
    assert sampled("--temperature", "0") == sampled("--temperature", "0", "--seed", "9")
    assert sampled("--top-k", "1") == sampled("--temperature", "0")
    assert sampled("--prompt", "Žluťou", "--seed", "1", "--top-p", "0.9").startswith("Žluťou")
    model = str(Path(run) / "best" / "model.safetensors")
    assert main(["lm", "sample", model, "--seed", "1", "--length", "40"]) == 0
    assert capsys.readouterr().out == sampled("--seed", "1")


def test_a_prompt_from_standard_input_may_be_any_bytes(run: str) -> None:
    drawn = weft("lm", "sample", run, "--prompt", "-", "--length", "5", input=b"Warp \xff")
    assert drawn.returncode == 0
    assert drawn.stdout.startswith("Warp \ufffd".encode())
    assert weft("lm", "sample", run, "--prompt", "", "--length", "5").returncode == 0


def test_sampling_streams_and_stops_when_the_reader_leaves(run: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "weftnn", "lm", "sample", run, "--length", "100000000", "--prompt", "Warp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(50).startswith(b"Warp")  # of a hundred million: they come as they are drawn
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_ends_sampling_quietly(run: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "weftnn", "lm", "sample", run, "--length", "100000000", "--prompt", "Warp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(50).startswith(b"Warp")  # it is in the middle of it
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in errors


def overwritten(damage: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(damage(file.read_bytes())) and None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (overwritten(lambda whole: whole[:-7]), "not a whole and valid"),
        (overwritten(lambda whole: b""), "not a whole and valid"),
        (overwritten(lambda whole: (2**62).to_bytes(8, "little") + whole[8:]), "not a whole and valid"),
        (
            overwritten(lambda whole: whole.replace(b"LanguageModel", b"Forecaster---")),
            "not a language model",
        ),
        (Path.unlink, "no run has saved a model there|there is no model"),
    ],
)
def test_spoilt_models_are_refused(
    spoil: Callable[[Path], None], message: str, run: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(Path(run) / "last")
    model = Path(run) / "best" / "model.safetensors"
    spoil(model)
    for path in (run, str(model)):
        refused(["lm", "sample", path], message, capsys)
        refused(["lm", "eval", path, text], message, capsys)


# ---- evaluating ----


def test_evaluating_repeats_what_training_said(
    run: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "again")
    assert main(["lm", "train", text, *TINY, "--steps", "8", "--out", out]) == 0
    said = re.search(r"bytes held out: ([\d.]+) bits per byte", capsys.readouterr().out)
    assert said is not None
    assert main(["lm", "eval", out, text, "--held-out", "0.1"]) == 0
    parts = re.findall(r"([\d.]+) bits per byte", capsys.readouterr().out)
    assert len(parts) == 2
    assert parts[0] == said.group(1)
    assert main(["lm", "eval", run, text, "--streams", "3", "--threads", "1"]) == 0
    assert "the whole text" in capsys.readouterr().out


def test_a_model_of_nan_is_named(run: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = LanguageModel.load(run)
    model.head.weight.data[...] = np.nan
    path = str(Path(run) / "nan.safetensors")
    model.save(path)
    refused(["lm", "eval", path, text], "the model is spoilt", capsys, code=1)
    assert main(["lm", "sample", path]) == 1
    assert "the largest logit" in capsys.readouterr().err


def test_evaluating_refuses_too_little(run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = tmp_path / "one.txt"
    one.write_bytes(b"x")
    refused(["lm", "eval", run, str(one)], "too short: the whole text has 1 bytes", capsys)
    one.write_bytes(b"xyz")
    refused(["lm", "eval", run, str(one), "--held-out", "0.4"], "too short: held out", capsys)
