"""Checkpoints that survive: whatever happens during a save, the folder holds the old one or the new one,
whole.

A checkpoint is a folder of three files: `model.safetensors` (weights), `training.safetensors` (optimizer and
carried state) and `config.json` (all numbers). Each save has a number, written into all three. To save:

    1. write model.safetensors.new and training.safetensors.new        (whole, on the disk)
    2. replace config.json                                              (the switch: from here on the new one
    holds) 3. rename both .new files into place

A reader takes, of each file, the one whose number config.json names; the next save first completes or clears
away what an interrupted one left. A full disk fails in 1 or 2 and leaves the old checkpoint. Nothing is
pickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.data.batch import Array
from weft.files import read_safetensors, replace_file, write_safetensors

MODEL, TRAINING, CONFIG = "model.safetensors", "training.safetensors", "config.json"
FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """model, training: arrays by name. config: fit for JSON. metadata: strings for the model's file."""

    model: Mapping[str, Array]
    training: Mapping[str, Array]
    config: Mapping[str, Any]
    metadata: Mapping[str, str]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Saves into the folder, in place of the checkpoint there.

    Raises OSError if it cannot (a full disk, say); the old checkpoint is then as it was.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = _settle(folder) + 1
        mark = {"checkpoint": str(number)}
        write_safetensors(_new(folder, MODEL), checkpoint.model, {**checkpoint.metadata, **mark})
        write_safetensors(_new(folder, TRAINING), checkpoint.training, mark)
        config = {"format": FORMAT, "checkpoint": number, **checkpoint.config}
        with replace_file(folder / CONFIG) as file:
            file.write(json.dumps(config, indent=1).encode())
        _settle(folder)
    except OSError as error:
        with suppress(OSError, ValueError):
            _settle(folder)
        kept = "the checkpoint before it is whole" if exists(folder) else "there was none before it"
        raise OSError(
            error.errno,
            f"Trainer: could not save the checkpoint ({error.strerror or error}); {kept}",
            str(folder),
        ) from error


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in the folder.

    Raises FileNotFoundError where there is none, ValueError where the files are damaged or of different
    saves.
    """
    config = _read_config(folder)
    mark = str(config["checkpoint"])
    tensors: dict[str, dict[str, Array]] = {}
    metadata: dict[str, str] = {}
    for name in (MODEL, TRAINING):
        # Looked at once more at the end: a save in another process may just have renamed it.
        for path in (folder / name, _new(folder, name), folder / name):
            if path.exists():
                arrays, about = read_safetensors(path)
                if about.get("checkpoint") == mark:
                    tensors[name], metadata = arrays, (about if name == MODEL else metadata)
                    break
        else:
            raise ValueError(
                f"read_checkpoint: {folder / name} is missing or not of the save that {CONFIG} names"
            )
    return Checkpoint(tensors[MODEL], tensors[TRAINING], config, metadata)


def exists(folder: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    return (folder / CONFIG).is_file()


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"read_checkpoint: there is no checkpoint in {folder} (no {CONFIG})")
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"read_checkpoint: {path} is damaged: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT or "checkpoint" not in config:
        raise ValueError(f"read_checkpoint: {path} is no checkpoint of format {FORMAT}")
    return config


def _settle(folder: Path) -> int:
    """Completes a save that was past its switch, clears away one that was not; gives the save's number."""
    number = int(_read_config(folder)["checkpoint"]) if exists(folder) else 0
    for name in (MODEL, TRAINING):
        new = _new(folder, name)
        if new.exists():
            if read_safetensors(new)[1].get("checkpoint") == str(number):
                os.replace(new, folder / name)
            else:
                new.unlink()
    return number


def _new(folder: Path, name: str) -> Path:
    return folder / f"{name}.new"
