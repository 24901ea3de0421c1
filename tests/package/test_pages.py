"""The pages: links and names of files lead somewhere, and docs/architecture.md's Python runs as printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
FOLDERS = "bench|cmake|cpp|docs|examples|licenses|python|tests"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_names_of_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [page.parent / link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)]
    names = [ROOT / name for name in re.findall(rf"`((?:{FOLDERS})/[\w/.-]+)`", text)]
    assert [str(path) for path in [*links, *names] if not path.exists()] == []


def test_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, "architecture.md", "exec"), names)
    assert names["dx"].shape == names["x"].shape
    assert capsys.readouterr().out == "(2,)\n"
