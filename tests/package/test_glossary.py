"""docs/glossary.md: every letter of a shape in a public docstring or header is there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import weftnn
from weftnn import data, models, nn, ops, optim, train

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
MODULES = (weftnn, ops, nn, optim, data, train, models)
SHAPE = re.compile(r"\[([^\[\]\"'=]*?[A-Z][^\[\]\"'=]*?)\]")  # [B,T,I], [..., 2F], [(N+2Nk)D, E]
LETTER = re.compile(r"[A-Z]k?(?![a-jl-z])")


def table(heading: str) -> set[str]:
    """The first column of the first table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| ([^|]*?) \|", section, re.MULTILINE)) - {"letter", "---"}


def docstrings() -> Iterator[tuple[str, str]]:
    """(name, docstring without its example) of every public object and its public methods."""
    for module in MODULES:
        for name in module.__all__:
            thing = getattr(module, name)
            members = vars(thing).items() if inspect.isclass(thing) else []
            of_class = [(f"{name}.{key}", value) for key, value in members if not key.startswith("_")]
            for where, documented in [(name, thing), *of_class]:
                if text := getattr(documented, "__doc__", None):
                    yield f"{module.__name__}.{where}", text.split(">>>")[0]


def comments() -> Iterator[tuple[str, str]]:
    """(name, comments) of every public header."""
    for header in sorted((ROOT / "cpp" / "include" / "weft").iterdir()):
        yield header.name, "\n".join(re.findall(r"//.*", header.read_text(encoding="utf-8")))


@pytest.mark.parametrize("texts", [docstrings, comments])
def test_letters_of_shapes_are_in_the_glossary(texts: Callable[[], Iterator[tuple[str, str]]]) -> None:
    letters = table("Letters of shapes")
    unknown = {
        where: sorted(missing)
        for where, text in texts()
        if (
            missing := {letter for shape in SHAPE.findall(text) for letter in LETTER.findall(shape)} - letters
        )
    }
    assert unknown == {}


@pytest.mark.parametrize(
    ("shape", "letters"), [("x[B,T,DP]", {"B", "T", "D", "P"}), ("k[Nk, 2S]", {"Nk", "S"})]
)
def test_letters_are_found(shape: str, letters: set[str]) -> None:
    assert {letter for found in SHAPE.findall(shape) for letter in LETTER.findall(found)} == letters
