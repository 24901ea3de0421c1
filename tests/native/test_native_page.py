"""docs/native.md: its programs, as they are printed there, built and run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from native_program import build, need, package, run
from weftnn.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "native.md"
TEXT = "The weft runs back and forth. The warp is held taut. The cloth grows row by row.\n"
SMALL = ["--hidden", "48", "--layers", "1", "--lr", "0.01", "--steps", "150", "--batch", "8"]
SMALL += ["--validate-every", "150", "--sample-length", "0", "--quiet", "--threads", "1"]


class Page(NamedTuple):
    """Its commands, one a line; where its model is; what the programs are given to continue."""

    commands: list[str]
    model: Path
    begins: str


def blocks(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture(scope="module", params=["gru", "gpt"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page, after the first of its commands has trained a small model."""
    lines = "".join(blocks("sh")).splitlines()
    train = next(line for line in lines if line.startswith("weftnn lm train"))
    use = next(line for line in lines if line.startswith("build/next"))
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "text.txt").write_text(TEXT * 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([*shlex.split(train)[1:], "text.txt", *SMALL, "--model", request.param]) == 0
    _, model, begins = shlex.split(use)
    return Page(lines, folder / model, begins)


def assert_is_text(written: bytes, begins: str) -> None:
    """That it goes on as the text does that the model has learned."""
    text = written.decode()
    assert text.startswith(begins)
    assert len(text) > 50
    *words, _ = text.split()  # the last one may be cut
    assert len(set(words)) >= 5
    learned = sum(word in TEXT.split() for word in words)
    assert learned >= 0.7 * len(words)  # what is drawn may err now and then


def test_the_program_in_cpp(page: Page, tmp_path: Path) -> None:
    (tmp_path / "next.cpp").write_text(blocks("cpp")[0])
    (tmp_path / "CMakeLists.txt").write_text(blocks("cmake")[0])
    program = build(tmp_path, tmp_path / "build") / "next"
    assert_is_text(run(program, page.model, page.begins), page.begins)


def test_the_program_in_c(page: Page, tmp_path: Path) -> None:
    (tmp_path / "next.c").write_text(blocks("c")[0])
    compiler = next(line for line in page.commands if line.startswith("cc "))
    for program in ("cc", "pkg-config"):
        need(program)
    run("sh", "-c", compiler, cwd=tmp_path, PKG_CONFIG_PATH=f"{package().libraries}/pkgconfig")
    assert_is_text(run(tmp_path / "next", page.model, page.begins), page.begins)


def test_its_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(block, str(PAGE), "exec"), names)
    assert names["y"].shape == (64, 1)
