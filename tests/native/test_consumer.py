"""Programs in C and C++, built against the installed package, compute the bits that Python computes.

The installed package is that of pip, and what `cmake --install` made in the folder that the variable
WEFT_PREFIX names. Each is found by CMake and by pkg-config. The programs are in tests/consumer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weftnn
import weftnn.config
from native_program import Package, answer, need, package_of_cmake, package_of_pip, run
from weftnn import nn, optim
from weftnn.models import GPT

SOURCES = Path(__file__).parents[1] / "consumer"
COMPILERS = {"c": os.environ.get("CC", "cc"), "cpp": os.environ.get("CXX", "c++")}
STANDARDS = {"c": "-std=c99", "cpp": "-std=c++20"}
ISAS = weftnn.config.available_isas()

Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module", params=["pip", "cmake"])
def package(request: pytest.FixtureRequest) -> Package:
    found = package_of_pip() if request.param == "pip" else package_of_cmake()
    if found is None:
        pytest.skip(f"weft was not installed by {request.param}, or it is not known where")
    return found


def with_library(package: Package, kind: str) -> None:
    if kind == "static" and not (package.libraries / "libweft.a").exists():
        pytest.skip("this package holds the shared library only")


# ---- what Python has trained and computed ------------------------------------------------------------------


def train(model: nn.Layer, x: Array, target: Array, loss: Any) -> None:
    """A few steps, so that no weight is as it was made."""
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(3):
        y, backprop = model(x)
        _, loss_backprop = loss(y[0] if isinstance(y, tuple) else y, target)
        optimizer.zero_grad()
        backprop(loss_backprop())
        optimizer.step()


def trained() -> dict[str, tuple[nn.Layer, Array]]:
    """Models, and what each is given: x[T,I] or tokens[T]."""
    draw = np.random.default_rng(0)
    one, three = (draw.normal(size=(2, 40, features)).astype(np.float32) for features in (1, 3))
    gru = nn.Sequential(nn.GRU(1, 20, rng=0), nn.Linear(20, 1, rng=1))
    train(gru, one, one.cumsum(1), nn.MSELoss())
    lstm = nn.Sequential(nn.LSTM(3, 33, 3, rng=0), nn.Linear(33, 5, rng=1))
    train(lstm, three, draw.normal(size=(2, 40, 5)).astype(np.float32), nn.MSELoss())
    gpt = GPT(hidden_size=24, num_layers=2, num_heads=2, context=64, rng=0)
    text = np.frombuffer(b"The warp goes up and down, the weft goes back and forth.", np.uint8).astype(
        np.int64
    )
    train(gpt, text[None, :-1], text[None, 1:], nn.CrossEntropyLoss())
    return {"gru": (gru, one[0]), "lstm": (lstm, three[0]), "gpt": (gpt, text)}


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """A folder for each instruction set and model: the model, x, and what Python's run and steps gave."""
    folders: dict[str, list[Path]] = {}
    for name, (model, x) in trained().items():
        for isa in ISAS:
            folder = tmp_path_factory.mktemp(f"{name}-{isa}")
            folders.setdefault(isa, []).append(folder)
            nn.save(model, folder / "model.safetensors")
            with weftnn.config.use_isa(isa):
                loaded = weftnn.Model.load(folder / "model.safetensors")
                stream = weftnn.Stream(loaded)
                x.tofile(folder / "x")
                loaded.run(x[None]).tofile(folder / "run")
                np.stack([stream.step(x_t) for x_t in x]).tofile(folder / "step")
    return folders


def compare(program: Path, computed: dict[str, list[Path]], package: Package) -> None:
    for isa, folders in computed.items():
        said = run(program, *folders, WEFT_ISA=isa).decode()
        assert said.splitlines()[0] == f"weft {weftnn.__version__}, {isa}"
        assert said.count("the same bits") == len(folders)
    assert answer(program, *folders, WEFT_ISA=ISAS[0]).returncode == (len(ISAS) > 1), "it notices other bits"


# ---- the programs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["shared", "static"])
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_found_by_cmake(
    language: str, kind: str, package: Package, computed: dict[str, list[Path]], tmp_path: Path
) -> None:
    cmake = need("cmake")
    with_library(package, kind)
    run(
        *(cmake, "-S", SOURCES / language, "-B", tmp_path, "-DCMAKE_BUILD_TYPE=Release"),
        *(f"-Dweft_DIR={package.cmake}", f"-DWEFT_KIND={kind}"),
    )
    run(cmake, "--build", tmp_path)
    compare(tmp_path / "consumer", computed, package)


@pytest.mark.parametrize("kind", ["shared", "static"])
@pytest.mark.parametrize("language", ["c", "cpp"])
def test_found_by_pkg_config(
    language: str, kind: str, package: Package, computed: dict[str, list[Path]], tmp_path: Path
) -> None:
    pkg_config, compiler = need("pkg-config"), need(COMPILERS[language])
    with_library(package, kind)
    asked = [pkg_config, "--cflags", "--libs", *(["--static"] if kind == "static" else []), "weft"]
    flags = run(*asked, PKG_CONFIG_PATH=str(package.libraries / "pkgconfig")).decode().split()
    linked = ["-static"] if kind == "static" else [f"-Wl,-rpath,{package.libraries}"]
    source = SOURCES / language / f"consumer.{language}"
    run(compiler, STANDARDS[language], "-O1", source, *flags, *linked, "-o", tmp_path / "consumer")
    compare(tmp_path / "consumer", computed, package)


def test_a_library_that_is_not_there_is_named(package: Package, tmp_path: Path) -> None:
    cmake = need("cmake")
    if (package.libraries / "libweft.a").exists():
        pytest.skip("this package holds both libraries")
    refused = answer(
        *(cmake, "-S", SOURCES / "c", "-B", tmp_path, f"-Dweft_DIR={package.cmake}", "-DWEFT_KIND=static")
    )
    assert refused.returncode != 0
    assert "no static library in this package" in " ".join(refused.stderr.decode().split())
