"""Programs in C and C++ built against the installed package, as a person would build them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> bytes:
    """Its standard output; where it fails, the test does, with all that it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, cwd=cwd, env=env, timeout=300)
    if done.returncode != 0:
        pytest.fail(f"{command}:\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return done.stdout


def package_folder(option: str) -> str:
    """What `python -m weft --cmakedir` and the like say. Skips where there is nothing to build with."""
    for tool in ("cmake", "cc", "c++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not here")
    done = subprocess.run([sys.executable, "-m", "weft", option], capture_output=True, text=True)
    if done.returncode != 0 or not Path(done.stdout.strip()).is_dir():
        pytest.skip("weft is not installed with its native package")
    return done.stdout.strip()


def build(source: Path, folder: Path) -> Path:
    """The build folder of a CMake project that asks for weft."""
    run("cmake", "-S", source, "-B", folder, f"-DCMAKE_PREFIX_PATH={package_folder('--cmakedir')}")
    run("cmake", "--build", folder)
    return folder
