"""The README's Python, as it is printed there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

README = Path(__file__).parents[2] / "README.md"


def test_its_python_runs_and_learns() -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) == 2
    names: dict[str, Any] = {}
    for block in blocks:  # the second goes on where the first ends
        exec(compile(block, str(README), "exec"), names)
    x, y = names["x"], names["model"].predict(names["x"])[0]
    assert np.mean((y - x.cumsum(1) / 7) ** 2) < 0.02 * np.var(x.cumsum(1) / 7)
    assert all(parameter.grad is not None for parameter in names["model"].parameters())
