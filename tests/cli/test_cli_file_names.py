"""Names of files that no stream can print: shown, repeated, remembered and found again, in every locale."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tiny_runs import PROSE, TINY
from weftnn.cli.file_names import from_json, printable, quoted, shown, to_json
from weftnn.config import openmp_runtimes, show_config

STRICT = {"PYTHONIOENCODING": "utf-8:strict"}
ASCII = {"PYTHONIOENCODING": "ascii:strict"}
OLD = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # ASCII names too
NAMES = [b"caf\xe9.txt", "café.txt".encode(), b"two\nlines.txt", b"\x1b[31m'red'.txt", b"-o.txt"]


def command_line(
    *arguments: str | bytes, locale: dict[str, str], cwd: bytes | Path
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "weftnn", *arguments]
    return subprocess.run(command, capture_output=True, timeout=120, cwd=cwd, env=os.environ | locale)


@pytest.mark.parametrize(
    ("name", "locale"),
    [(b"caf\xe9 x", STRICT), ("café".encode(), ASCII), (b"two\nlines", ASCII), (b"caf\xe9 x", OLD)],
)
def test_every_command_takes_it(name: bytes, locale: dict[str, str], tmp_path: Path) -> None:
    text, out = name + b".txt", name + b" run"
    (tmp_path / os.fsdecode(text)).write_bytes(PROSE)
    trained = command_line(
        "lm",
        "train",
        text,
        *TINY,
        "--steps",
        "2",
        "--held-out",
        "0",
        "--out",
        out,
        locale=locale,
        cwd=tmp_path,
    )
    assert trained.returncode == 0, trained.stderr
    resume = re.search(rb"^Continue:  (.*)$", trained.stdout, re.MULTILINE)
    assert resume is not None
    # The other locale has to find the same files from what this one has written.
    words = shlex.join([sys.executable, "-m", "weftnn"])
    script = b"weftnn() { " + words.encode() + b' "$@"; }; ' + resume.group(1)
    other = STRICT if locale is OLD else OLD
    done = subprocess.run(["bash", "-c", script], capture_output=True, cwd=tmp_path, env=os.environ | other)
    assert done.returncode == 0, done.stderr
    for arguments in (["lm", "sample", out, "--length", "3"], ["lm", "eval", out, text]):
        done = command_line(*arguments, locale=locale, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for arguments in (
        ["lm", "train", "--resume", out],
        ["lm", "train", text, "--out", out],
        ["lm", "eval", out + b"x", text],
        ["lm", "train", name],
    ):
        done = command_line(*arguments, locale=locale, cwd=tmp_path)
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_takes_it_as_it_is_quoted(name: bytes, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(name)).write_bytes(b"found")
    word = quoted(os.fsdecode(name))
    assert word.isprintable()
    done = subprocess.run(["bash", "-c", f"cat {word}"], capture_output=True, cwd=tmp_path)
    assert done.stdout == b"found", done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_it_is_shown_in_one_line_and_remembered(name: bytes) -> None:
    text = os.fsdecode(name)
    assert shown(text).isprintable()
    assert printable(text).isprintable()
    assert from_json(json.loads(json.dumps(to_json(text)))) == text


def test_what_is_shown_is_what_it_is_where_that_can_be_printed() -> None:
    assert shown("žluťoučký kůň.txt") == "žluťoučký kůň.txt"
    assert quoted("a name") == "'a name'"


def test_a_folder_for_build_systems_is_printed_byte_by_byte(tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"caf\xe9")
    place.mkdir()
    script = (
        "import sys; from pathlib import Path; from weftnn import native; from weftnn.cli import main\n"
        "native._find = lambda *_: Path(sys.argv[1])\n"
        "main(['--cmakedir'])"
    )
    for locale in (STRICT, ASCII, OLD):
        command = [sys.executable, "-c", script, place]
        done = subprocess.run(command, capture_output=True, env=os.environ | locale)
        assert done.stdout == os.fsencode(place) + b"\n", done.stderr


def test_the_configuration_names_libraries_of_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = b"7f00-7f01 r-xp 00000000 00:00 1    /opt/caf\xe9/libgomp.so.1\n"
    monkeypatch.setattr(Path, "read_bytes", lambda path: maps)
    if not Path("/proc/self/maps").exists():
        pytest.skip("there is no /proc")
    assert openmp_runtimes() == [os.fsdecode(b"/opt/caf\xe9/libgomp.so.1")]
    assert r"/opt/caf\udce9/libgomp.so.1" in show_config()
