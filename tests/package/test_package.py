"""What is installed: its size, what importing it costs, and what it says about itself."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution, distributions, metadata, version
from pathlib import Path

import pytest

import weftnn
from weftnn.cli import main

# Needed by a part of weft, or by none: whoever imports weft alone does not pay for them.
NOT_AT_IMPORT = ("tqdm", "safetensors", "matplotlib", "multiprocessing", "torch", "jax", "onnx", "weftnn.cli")
INSTALLED = pytest.mark.skipif(
    all(found.name != "weftnn" for found in distributions()),
    reason="weft is on the path, not installed by pip",
)


def run(program: str) -> str:
    """What the program prints, in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy() -> None:
    loaded = set(run("import sys, weftnn; print(*sys.modules)").split())
    assert not loaded & set(NOT_AT_IMPORT)


def test_import_loads_little() -> None:
    """Beyond NumPy, weft itself and parts of the standard library, and few of these: what takes the time."""
    program = "import sys, numpy; before = {*sys.modules}; import weftnn; print(*({*sys.modules} - before))"
    loaded = {name for name in run(program).split() if name.split(".")[0] not in ("weftnn", "numpy")}
    assert {name.split(".")[0] for name in loaded} <= sys.stdlib_module_names
    assert len(loaded) <= 50


def test_installed_size() -> None:
    """At most 15 MB. Byte code, written at first import, does not count."""
    folders = {Path(weftnn.__file__).parent, Path(weftnn._core.__file__).parent}  # one, unless in development
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    assert any(path.suffix == ".so" for path in files)
    assert sum(path.stat().st_size for path in files) <= 15e6


@INSTALLED
def test_version_is_one() -> None:
    """pyproject.toml, CMake's project() and the compiled core agree."""
    assert weftnn.__version__ == weftnn._core.version() == version("weftnn")


@INSTALLED
def test_needs_little() -> None:
    required = [line for line in metadata("weftnn").get_all("Requires-Dist") or () if "extra ==" not in line]
    assert sorted(line.split(">")[0] for line in required) == ["numpy", "tqdm"]


@INSTALLED
def test_carries_the_notices_of_what_is_compiled_into_it() -> None:
    notices = {
        "LICENSE": "Apache License",
        "licenses/eigen.txt": "Mozilla Public License",
        "licenses/pybind11.txt": "Wenzel Jakob",
    }
    package = distribution("weftnn")
    assert set(package.metadata.get_all("License-File") or ()) == set(notices)
    for name, words in notices.items():
        assert words in (package.read_text(f"licenses/{name}") or ""), name


@INSTALLED
def test_carries_no_library_of_others() -> None:
    """GCC's runtime libraries are the machine's: inside the package, their notices would be due too."""
    libraries = {file.name.split(".")[0] for file in distribution("weftnn").files or () if ".so" in file.name}
    assert libraries == {"_core", "libweft"}


@pytest.mark.parametrize("part", ["instruction set", "threads", "OpenMP runtimes", "precision"])
def test_show_config(part: str) -> None:
    report = weftnn.show_config()
    assert report.startswith(f"weft {weftnn.__version__}\n")
    assert part in report


def test_show_config_follows_the_settings() -> None:
    weftnn.set_num_threads(3)
    threads = next(line for line in weftnn.show_config().splitlines() if line.startswith("threads"))
    assert threads.split() == ["threads", "3"]


def test_module_is_the_command() -> None:
    answer = subprocess.run([sys.executable, "-m", "weftnn", "info"], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert f"weft {weftnn.__version__}" in answer.stdout


@INSTALLED
@pytest.mark.parametrize(
    ("option", "file"),
    [("--cmakedir", "weft-config.cmake"), ("--includedir", "weft/weft.h"), ("--libdir", "pkgconfig/weft.pc")],
)
def test_folders_for_native_programs(option: str, file: str) -> None:
    command = [sys.executable, "-m", "weftnn", option]
    folder = subprocess.run(command, capture_output=True, text=True, check=True).stdout.removesuffix("\n")
    assert (Path(folder) / file).is_file()


def test_folders_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(weftnn, "__path__", [str(tmp_path)])
    assert main(["--libdir"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"weftnn: no libweft.so in {tmp_path / 'lib'}: ")
