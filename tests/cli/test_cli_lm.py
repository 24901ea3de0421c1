"""`weftnn lm train` from end to end with tiny models: training, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tiny_runs import PROSE, TINY, refused, weft
from weftnn.cli import main
from weftnn.models import LanguageModel


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
