"""What the tests of the command share: a text, a small finished run, no drawing where it does not matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiny_runs import PROSE, TINY
from weftnn.cli import main
from weftnn.train import History


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
def settings() -> list[str]:
    """Of the small finished run."""
    return TINY


@pytest.fixture
def run(tmp_path: Path, text: str, settings: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """A small finished run."""
    out = str(tmp_path / "run")
    assert main(["lm", "train", text, *settings, "--steps", "8", "--out", out]) == 0
    capsys.readouterr()
    return out
