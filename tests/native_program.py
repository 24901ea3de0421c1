"""Programs in C and C++ built against the installed package, as a person would build them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from weft import native

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> bytes:
    """Its standard output; where it fails, the test does, with all that it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, cwd=cwd, env=env, timeout=300)
    if done.returncode != 0:
        pytest.fail(f"{command}:\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return done.stdout


class Package(NamedTuple):
    """What `python -m weft --cmakedir` and `--libdir` say."""

    cmake: Path
    libraries: Path


def package() -> Package:
    """Of pip, or else of `cmake --install`, in WEFT_PREFIX. Skips where there is nothing to build with."""
    for tool in ("cmake", "cc", "c++"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not here")
    try:
        return Package(native.cmake_folder(), native.library_folder())
    except FileNotFoundError:
        prefix = os.environ.get("WEFT_PREFIX")
    if prefix is None:
        pytest.skip("weft is on the path, not installed by pip, and there is no WEFT_PREFIX")
    (config,) = Path(prefix).rglob("weft-config.cmake")
    return Package(config.parent, config.parents[2])


def build(source: Path, folder: Path) -> Path:
    """The build folder of a CMake project that asks for weft."""
    run("cmake", "-S", source, "-B", folder, f"-Dweft_DIR={package().cmake}")
    run("cmake", "--build", folder)
    return folder
