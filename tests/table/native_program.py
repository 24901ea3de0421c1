"""Programs in C and C++ built against the installed package, as a person would build them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from weftnn import native

EXAMPLES = Path(__file__).parents[2] / "examples"


def answer(*command: object, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """What a program says and how it ends, with these environment variables besides."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, cwd=cwd, env=os.environ | variables, timeout=1200)


def run(*command: object, cwd: Path | None = None, **variables: str) -> bytes:
    """Its standard output; where it fails, the test does, with all that it said."""
    done = answer(*command, cwd=cwd, **variables)
    if done.returncode != 0:
        pytest.fail(f"{command}:\n{done.stdout.decode()}\n{done.stderr.decode()}")
    return done.stdout


def need(program: str) -> str:
    """Its path. The package needs no compiler to run, so where there is none these tests are left out."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


class Package(NamedTuple):
    """Where the headers, the libraries and CMake's files are."""

    include: Path
    libraries: Path
    cmake: Path


def package_of_pip() -> Package | None:
    """What `python -m weftnn --includedir`, `--libdir`, `--cmakedir` say; None: weft is only on the path."""
    try:
        return Package(native.include_folder(), native.library_folder(), native.cmake_folder())
    except FileNotFoundError:
        return None


def package_of_cmake() -> Package | None:
    """What `cmake --install` made in the folder that the variable WEFT_PREFIX names."""
    prefix = os.environ.get("WEFT_PREFIX")
    if prefix is None:
        return None
    (config,) = Path(prefix).rglob("weft-config.cmake")
    return Package(Path(prefix) / "include", config.parents[2], config.parent)


def package() -> Package:
    """Either of them. Skips where there is none."""
    found = package_of_pip() or package_of_cmake()
    if found is None:
        pytest.skip("weft is on the path, not installed by pip, and there is no WEFT_PREFIX")
    return found


def build(source: Path, folder: Path) -> Path:
    """The build folder of a CMake project that asks for weft."""
    cmake = need("cmake")
    run(cmake, "-S", source, "-B", folder, f"-Dweft_DIR={package().cmake}")
    run(cmake, "--build", folder)
    return folder
