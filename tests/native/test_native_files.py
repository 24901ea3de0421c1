"""Files that C++ reads as models: it takes none that Python's reader refuses, and says what is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weftnn
from hostile_files import HOSTILE
from weftnn import nn
from weftnn.files import read_safetensors


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.safetensors"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match=r"Model\.load: .*evil\.safetensors: .") as error:
        weftnn.Model.load(path)
    assert len(str(error.value)) < 1000


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_no_changed_file_is_taken_that_python_refuses(tmp_path_factory: Any, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("changed") / "m"
    nn.save(nn.GRU(2, 3, rng=0), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    path.write_bytes(content)
    try:
        model = weftnn.Model.load(path)
    except ValueError:
        return
    read_safetensors(path)
    assert model.run(np.zeros((1, 2, 2), model.dtype)).shape == (1, 2, 3)


def test_every_truncation(tmp_path: Path) -> None:
    nn.save(nn.GRU(1, 1), tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    for size in range(len(content)):
        with pytest.raises(ValueError, match=r"Model\.parse: ."):
            weftnn.Model.parse(content[:size])


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")
def test_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe: not a regular file"):  # and does not wait for a writer
        weftnn.Model.load(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        weftnn.Model.load(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX names")
def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff"
    with open(path, "wb") as file:
        file.write(b"{}")
    with pytest.raises(ValueError, match="too short"):
        weftnn.Model.load(os.fsdecode(path))
    nn.save(nn.GRU(1, 1), os.fsdecode(path))
    assert weftnn.Model.load(path).inputs == 1
