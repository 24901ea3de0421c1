"""docs/ragged.md: its Python, as it is printed there, and what its comments say that it prints."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "ragged.md"


def test_its_python(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    kept: list[dict[str, Any]] = []
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, str(PAGE), "exec"), names)
        kept.append(dict(names))
    first, refused, left, _, masked, policy = kept
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    for line in ("[[9 2 0 0 0] [5 6 7 0 0] [3 1 4 1 5]] [2 3 5] True 0.0", "[4 6]"):
        assert line in printed
    assert "Sequential: lengths must be None for Mean, which does not take them and" in printed
    assert first["trainer"].position.step == 2
    assert issubclass(refused["Mean"], first["nn"].Layer)

    # turned to the right, each row gives what it gives alone
    assert left["x"].tolist() == [[5, 6, 7, 0, 0], [3, 1, 4, 1, 5]]
    model = left["model"]
    for row, length in enumerate(left["lengths"]):
        alone = model.predict(left["x"][row : row + 1, :length])[0]
        np.testing.assert_allclose(left["last"][row], alone[0, -1], 0, 1e-5)
    assert masked["y"].shape == (2, 5, 16)
    moved = masked["z"].copy()
    moved[0, :2] = 9  # padding: hidden by the mask
    mask = masked["attention_mask"].astype(bool)[:, None, None, :]
    np.testing.assert_array_equal(masked["attention"].predict(moved, mask=mask)[0, 2:], masked["y"][0, 2:])

    # each episode of the last rollout is the same as in a row of its own
    x, y, done = policy["x"], policy["y"], policy["done"]
    row = int(np.argmax(done.sum(axis=1)))
    ends = [*(np.flatnonzero(done[row]) + 1)]
    assert len(ends) > 1
    for begin, end in pairwise(ends):
        alone = policy["policy"].predict(x[row : row + 1, begin:end])[0]
        np.testing.assert_allclose(y[row, begin:end], alone[0], 0, 1e-5)
