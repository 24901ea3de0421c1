"""The command line refuses what it cannot use: one line in the house form, exit code 2, before any work."""

from __future__ import annotations

import contextlib
import io
import re

import pytest

from weftnn.cli import main
from weftnn.cli.arguments import duration


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden", "0"], "--hidden must be a whole number of at least 1, got '0'"),
        (["--hidden", "1.5"], "--hidden must be a whole number of at least 1, got '1.5'"),
        (["--hidden", "9" * 25], "--hidden must be a whole number of at most 2147483647, got"),
        (["--layers", "-1"], "--layers must be a whole number from 1 to 1000, got '-1'"),
        (["--model", "transformer"], "--model must be one of rnn, lstm, gru, gpt, got 'transformer'"),
        (
            ["--optimizer", "lion"],
            "--optimizer must be one of adamw, adam, rmsprop, adagrad, sgd, got 'lion'",
        ),
        (["--dropout", "1"], "--dropout must be a number from 0 and below 1, got '1'"),
        (["--dropout", "nan"], "--dropout must be a number from 0 and below 1, got 'nan'"),
        (["--held-out", "1"], "--held-out must be a number from 0 and below 1, got '1'"),
        (["--lr", "0"], "--lr must be a number above 0, got '0'"),
        (["--lr", "inf"], "--lr must be a number above 0, got 'inf'"),
        (["--clip", "-1"], "--clip must be a number of at least 0, got '-1'"),
        (["--time-limit", "soon"], "--time-limit must be a time such as 90 (seconds)"),
        (["--time-limit", "0"], "--time-limit must be a time such as 90 (seconds)"),
        (["--dtype", "float16"], "--dtype must be one of float32, float64, got 'float16'"),
        (["--threads", "0"], "--threads must be a whole number of at least 1, got '0'"),
        (["--sequense", "3"], "unrecognized arguments: --sequense"),
        (
            ["--tie-weights", "--embedding", "8", "--hidden", "16"],
            "--tie-weights needs --embedding equal to --hidden",
        ),
        (["--momentum", "0.5"], "--momentum is for --optimizer sgd only"),
    ],
)
def test_train_refuses(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    _refused(["lm", "train", *arguments], "weftnn lm train: ", message, capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "-0.1"], "--temperature must be a number of at least 0, got '-0.1'"),
        (["--top-k", "0"], "--top-k must be a whole number of at least 1, got '0'"),
        (["--top-p", "0"], "--top-p must be a number above 0 and at most 1, got '0'"),
        (["--top-p", "1.1"], "--top-p must be a number above 0 and at most 1, got '1.1'"),
        (["--length", "0"], "--length must be a whole number of at least 1, got '0'"),
    ],
)
def test_sample_refuses(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    _refused(["lm", "sample", "model", *arguments], "weftnn lm sample: ", message, capsys)


@pytest.mark.parametrize(
    ("command", "option"), [("train", "--out"), ("train", "--resume"), ("sample", ""), ("eval", "")]
)
def test_an_empty_name_is_not_this_folder(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["lm", command, *([option] if option else []), ""]
    message = f"{option or 'MODEL'} must be a name, got ''"
    _refused(arguments, f"weftnn lm {command}: ", message, capsys)


def test_eval_and_commands_refuse(capsys: pytest.CaptureFixture[str]) -> None:
    _refused(["lm", "eval"], "weftnn lm eval: ", "required: MODEL", capsys)
    _refused(
        ["lm", "eval", "m", "--streams", "0"], "weftnn lm eval: ", "--streams must be a whole number", capsys
    )
    _refused([], "weftnn: ", "required: COMMAND", capsys)
    _refused(["lm", "tune"], "weftnn lm: ", "invalid choice: 'tune'", capsys)


# Every option that takes a number, and what it says to one that is none, too small, too large or in parts.
WHOLE_FROM_1 = ["hidden", "embedding", "heads", "batch", "sequence", "steps", "epochs", "patience"]
WHOLE_FROM_1 += ["validate-every", "threads"]
WHOLE_FROM_0 = ["warmup", "seed", "sample-length"]
NOT_WHOLE = ["", "x", "1.5", "1e3", "nan", "inf", "0x10", "-1", "9" * 40]
NO_NUMBER = ["", "x", "nan", "inf", "-inf", "1e999", "-1"]
TRAIN = {
    **{name: [*NOT_WHOLE, "0"] for name in WHOLE_FROM_1},
    **dict.fromkeys(WHOLE_FROM_0, NOT_WHOLE),
    "layers": [*NOT_WHOLE, "0", "1001"],
    **dict.fromkeys(("weight-decay", "clip"), NO_NUMBER),
    "lr": [*NO_NUMBER, "0"],
    **{name: [*NO_NUMBER, "1", "2"] for name in ("dropout", "held-out", "momentum")},
    "time-limit": [*NO_NUMBER, "0", "1h30", "1.2.3h", "-5m"],
}
SAMPLE = {
    **{name: [*NOT_WHOLE, "0"] for name in ("length", "top-k", "threads")},
    "seed": NOT_WHOLE,
    "temperature": NO_NUMBER,
    "top-p": [*NO_NUMBER, "0", "1.01"],
}
EVAL = {
    **{name: [*NOT_WHOLE, "0"] for name in ("streams", "threads")},
    "held-out": [*NO_NUMBER, "1", "2"],
}


def numeric(command: str) -> set[str]:
    """The options of a command that take a number, as its help names them."""
    with pytest.raises(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
        main(["lm", command, "--help"])
    return set(re.findall(r"^  --([a-z-]+) (?:N|X|F|P|K|TIME)\b", shown.getvalue(), re.MULTILINE))


@pytest.mark.parametrize(("command", "table"), [("train", TRAIN), ("sample", SAMPLE), ("eval", EVAL)])
def test_every_number_is_checked(
    command: str, table: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert table.keys() == numeric(command)
    for option, values in table.items():
        for value in values:
            arguments = ["lm", command, "model", f"--{option}={value}"]
            _refused(arguments, f"weftnn lm {command}: ", f"--{option} must be a", capsys)


@pytest.mark.parametrize("command", [[], ["lm"], ["lm", "train"], ["lm", "sample"], ["lm", "eval"], ["info"]])
def test_help_explains_with_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert text.startswith(f"usage: {' '.join(['weftnn', *command])}")
    if command[1:]:
        assert "examples:\n  " in text


def test_info_shows_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    assert capsys.readouterr().out.startswith("weft ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("90s", 90), ("2m", 120), ("1.5h", 5400), ("1h30m5s", 5405)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def _refused(arguments: list[str], command: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as end:  # argparse's own way out
        code = end.code
    output = capsys.readouterr()
    assert code == 2
    assert output.out == ""
    assert output.err.startswith(command)
    assert message in output.err
    assert "Traceback" not in output.err
