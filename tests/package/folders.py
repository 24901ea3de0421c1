"""What lies in a folder, and what needs POSIX."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]
