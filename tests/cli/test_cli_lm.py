"""`weftnn lm` from end to end with tiny models: training, resuming, sampling, evaluating, failing."""

from __future__ import annotations

import json
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weftnn.cli import main
from weftnn.files import read_safetensors
from weftnn.models import LanguageModel
from weftnn.train import History

PROSE = (
    "Warp threads are held taut; the weft runs back and forth through them. Žluťoučký kůň!\n" * 60
).encode()
TINY = ["--hidden", "12", "--embedding", "8", "--batch", "4", "--sequence", "16"]
TINY += ["--validate-every", "4", "--sample-length", "30", "--quiet"]


@pytest.fixture(autouse=True)
def curves_only_where_they_matter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all the rest of a tiny run."""
    if "curve" not in request.node.name and "matplotlib" not in request.node.name:
        monkeypatch.setattr(History, "plot", lambda history, path: Path(path))


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "prose.txt"
    path.write_bytes(PROSE)
    return str(path)


@pytest.fixture
def run(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """A small finished run."""
    out = str(tmp_path / "run")
    assert main(["lm", "train", text, *TINY, "--steps", "8", "--out", out]) == 0
    capsys.readouterr()
    return out


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


# ---- training ----


@pytest.mark.parametrize("model", ["rnn", "lstm", "gru"])
def test_training_leaves_a_model_a_log_and_the_next_commands(
    model: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    code = main(
        ["lm", "train", text, *TINY, "--model", model, "--steps", "40", "--lr", "0.02", "--out", str(out)]
    )
    shown = capsys.readouterr().out
    assert code == 0
    assert {path.name for path in out.iterdir()} >= {"best", "last", "log.csv", "run.json", "sample.txt"}
    assert f"weftnn lm train --resume {out} --steps 80" in shown
    assert f"weftnn lm sample {out}" in shown
    header, *rows = (out / "log.csv").read_text().splitlines()
    assert {"step", "loss", "bits_per_byte", "validation_bits_per_byte"} <= set(header.split(","))
    column = header.split(",").index("loss")
    losses = [float(row.split(",")[column]) for row in rows]
    assert losses[-1] < 0.8 * losses[0]
    assert len((out / "sample.txt").read_bytes()) == 30
    assert LanguageModel.load(out).config["cell"] == model


def test_the_loss_curve_is_drawn_where_matplotlib_is(run: str) -> None:
    pytest.importorskip("matplotlib")
    assert (Path(run) / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_training_says_what_is_missing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["lm", "train", text, *TINY, "--steps", "2", "--out", str(tmp_path / "run")]) == 0
    assert "pip install matplotlib" in capsys.readouterr().out


@pytest.mark.parametrize(
    "choice",
    [
        "--optimizer sgd --momentum 0.5 --clip 0",
        "--optimizer adam --weight-decay 0.1 --schedule constant",
        "--optimizer rmsprop --schedule step",
        "--optimizer adagrad --schedule plateau --validate-every 1",
        "--layers 2 --dropout 0.3 --dtype float64",
        "--tie-weights --embedding 12 --warmup 0 --precision high --threads 1",
        "--held-out 0",
        "--epochs 1 --patience 2",
    ],
)
def test_every_choice_trains(
    choice: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["lm", "train", text, *TINY, "--steps", "3", *choice.split(), "--out", out]) == 0
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["arguments"]
    assert set(choice.split()) - {"--epochs"} <= {*stored, "12"}
    assert "Saved in" in capsys.readouterr().out


def test_texts_to_validate_on_and_standard_input(text: str, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(PROSE[:700])
    out = str(tmp_path / "run")
    done = weft(
        "lm", "train", "-", *TINY, "--steps", "3", "--validation", str(other), "--out", out, input=PROSE
    )
    assert done.returncode == 0, done.stderr
    assert b"700 held out" in done.stdout
    refusal = weft("lm", "train", "--resume", out, "--steps", "5")
    assert refusal.returncode == 2
    assert b"pipe the same in again" in refusal.stderr
    resumed = weft("lm", "train", "-", "--resume", out, "--steps", "5", input=PROSE)
    assert resumed.returncode == 0, resumed.stderr


def test_new_runs_get_folders_of_their_own(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["lm", "train", text, *TINY, "--steps", "1"]) == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == ["lm-1", "lm-2"]
    capsys.readouterr()


def test_a_time_limit_alone_ends_training(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["lm", "train", text, *TINY, "--time-limit", "0.5", "--out", out]) == 0
    assert "Trained" in capsys.readouterr().out
    assert main(["lm", "train", "--resume", out]) == 0


def test_a_loss_that_explodes_stops_with_advice(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    arguments = ["lm", "train", text, *TINY, "--steps", "50", "--out", out]
    extreme = ["--model", "rnn", "--optimizer", "sgd", "--lr", "1e38", "--clip", "0", "--warmup", "0"]
    refused([*arguments, *extreme], "step.*(lower|smaller|clip)", capsys, code=1)


# ---- what training refuses ----


def test_texts_that_do_not_suffice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, empty, missing = tmp_path / "short.txt", tmp_path / "empty.txt", tmp_path / "missing"
    short.write_bytes(PROSE[:300])
    empty.touch()
    for arguments, message in [
        ([str(missing)], "cannot read the text .*missing': No such file"),
        ([str(empty)], "the text is empty"),
        ([str(short)], r"the text is too short: 270 bytes .* or --batch 3"),
        ([str(short), "--batch", "1", "--sequence", "200"], "or --batch 1 --sequence 135"),
        (
            [str(short), "--batch", "2", "--sequence", "9", "--held-out", "0.01"],
            "held-out text is too short: 3",
        ),
    ]:
        refused(["lm", "train", *arguments, "--out", str(tmp_path / "out")], message, capsys)
    assert not (tmp_path / "out").exists()


def test_another_runs_folder_is_never_written_to(
    run: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}
    refused(["lm", "train", text, *TINY, "--out", run], "holds another run .*--resume", capsys)
    only_model = tmp_path / "only-model"
    only_model.mkdir()
    (only_model / "model.safetensors").write_bytes(b"precious")
    refused(["lm", "train", text, *TINY, "--out", str(only_model)], "holds another run", capsys)
    refused(["lm", "train", text, *TINY, "--out", text], "is a file, must be a folder", capsys)
    refused(["lm", "train", text, *TINY, "--out", text + "/sub"], "cannot write to the folder", capsys)
    refused(["lm", "train", text, *TINY, "--out", "a\0b"], "cannot write to the folder", capsys)
    assert before == {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}


def test_models_beyond_memory_are_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "lm",
        "train",
        text,
        "--batch",
        "2",
        "--out",
        str(tmp_path / "out"),
        "--hidden",
        "2147483647",
    ]
    refused(arguments, "need about .* GiB of memory; this machine has", capsys)
    assert not (tmp_path / "out").exists()


# ---- resuming ----


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


# ---- sampling ----


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
