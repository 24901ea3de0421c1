"""Imports go one way: there are no circles, and a room of the package uses only those that lie below it."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import weftnn

ROOT = Path(weftnn.__file__).parent

# Each line may import from those above it, a room from itself; rooms in one line do not know each other.
LEVELS = (
    ("_core", "arguments", "config", "files", "options", "ragged", "shortened"),
    ("ops",),
    ("nn", "optim", "data"),
    ("train", "stream"),
    ("models", "weftnn"),  # weftnn: the package's own __init__
    ("native",),
    ("cli",),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def _modules() -> dict[str, Path]:
    """Every module by its name, packages under theirs."""
    files = {path: path.relative_to(ROOT.parent).with_suffix("").parts for path in ROOT.rglob("*.py")}
    return {".".join(parts).removesuffix(".__init__"): path for path, parts in files.items()}


MODULES = _modules()


def _imported(source: str) -> set[str]:
    """The modules of weft that a source imports anywhere: in functions and under TYPE_CHECKING too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide what is imported"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & {*MODULES, "weftnn._core"}
            found |= modules | ({node.module or ""} if names - modules else set())
    return {name for name in found if name.split(".")[0] == "weftnn"}


IMPORTS = {name: _imported(path.read_text()) for name, path in MODULES.items()}


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def _circle(imports: dict[str, set[str]]) -> list[str]:
    """The modules of one circle, the first one repeated at the end; none if there is no circle."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circles() -> None:
    assert not _circle(IMPORTS)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    above = {other for other in IMPORTS[module] if LEVEL[_room(other)] > LEVEL[_room(module)]}
    beside = {
        other
        for other in IMPORTS[module]
        if LEVEL[_room(other)] == LEVEL[_room(module)] > 0 and _room(other) != _room(module)
    }
    assert not above | beside


def test_what_is_hidden_is_found() -> None:
    source = "if TYPE_CHECKING:\n    from weftnn.nn import Layer\ndef f():\n    from weftnn import cli, nn\n"
    assert _imported(source) == {"weftnn.nn", "weftnn.cli"}
    assert _circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) and not _circle({"a": {"b", "c"}, "b": {"c"}})
