"""docs/native.md: its programs, as they are printed there, built and run."""

from __future__ import annotations

import re
import shlex
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import weft
from native_program import build, need, package, run
from weft.cli import main
from weft.models import GPT, ByteModel, LanguageModel

PAGE = Path(__file__).parent.parent / "docs" / "native.md"
NEXT = 60  # bytes that the page's programs write


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture(params=["gru", "gpt"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ByteModel, Path]:
    made: ByteModel
    if request.param == "gpt":
        made = GPT(hidden_size=16, num_layers=2, num_heads=2, context=64, rng=0)
    else:
        made = LanguageModel("gru", embedding_size=8, hidden_size=32, rng=0)
    made.save(tmp_path / "model.safetensors")
    return made, tmp_path / "model.safetensors"


def likely_text(model: ByteModel) -> bytes:
    return bytes(islice(model.generate(b"\n", temperature=0), NEXT))


def test_the_program_in_cpp(model: tuple[ByteModel, Path], tmp_path: Path) -> None:
    (tmp_path / "next.cpp").write_text(blocks("cpp")[0])
    (tmp_path / "CMakeLists.txt").write_text(blocks("cmake")[0])
    program = build(tmp_path, tmp_path / "build") / "next"
    assert run(program, model[1]) == likely_text(model[0])


def test_the_program_in_c(model: tuple[ByteModel, Path], tmp_path: Path) -> None:
    (tmp_path / "next.c").write_text(blocks("c")[0])
    commands = next(block for block in blocks("sh") if "pkg-config" in block)
    compiler = next(line for line in commands.splitlines() if line.startswith("cc "))
    for program in ("cc", "pkg-config"):
        need(program)
    run("sh", "-c", compiler, cwd=tmp_path, PKG_CONFIG_PATH=f"{package().libraries}/pkgconfig")
    assert run(tmp_path / "next", model[1]) == likely_text(model[0])


def test_training_leaves_the_model_where_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_bytes(b"The quick brown fox. " * 400)
    lines = "".join(blocks("sh")).splitlines()
    train = next(line for line in lines if line.startswith("weft lm train"))
    assert main([*shlex.split(train)[1:], "text.txt", "--steps", "2", "--hidden", "16"]) == 0
    program = next(line for line in lines if line.startswith("build/next"))
    assert weft.Model.load(shlex.split(program)[1]).takes_tokens


def test_its_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    assert names["y"].shape == (64, 1)
