"""Checkpoints that survive a crash: whatever happens during a save, the old or the new one is whole.

A checkpoint is a folder of three files: `model.safetensors` (weights), `training.safetensors` (optimizer and
carried state) and `config.json` (all numbers). Each save has a random id, written into all three. To save:

    1. write model.safetensors.<id>.new and training.safetensors.<id>.new
    2. replace config.json
    3. rename both .new files into place

Step 1 ends when both files are whole on the disk. Step 2 is the switch: from then on the new one holds.

A reader takes, of each file, the one whose id config.json names, and begins again if a save has changed the
id meanwhile; so it never returns a mix. The next save first completes or clears away what an interrupted one
left. A full disk fails in 1 or 2 and leaves the old checkpoint. One save at a time: folder_lock.py sees to
that. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weftnn.data.batch import Array
from weftnn.files import read_safetensors, replace_file, write_safetensors
from weftnn.train.folder_lock import FolderInUseError, FolderLock

MODEL, TRAINING, CONFIG = "model.safetensors", "training.safetensors", "config.json"
FORMAT = 1
_MARK = "[0-9a-f]{1,16}"
_NEW = re.compile(rf"(?P<name>{re.escape(MODEL)}|{re.escape(TRAINING)})\.(?P<mark>{_MARK})\.new")
_TEMPORARY = re.compile(rf"\.({_NEW.pattern}|{re.escape(CONFIG)})\.[0-9a-f]{{16}}\.tmp")  # of replace_file
_LOOKS = 100  # at a checkpoint that is replaced whenever it is looked at; each look takes as long as a save


@dataclass(frozen=True)
class Checkpoint:
    """model, training: arrays by name. config: fit for JSON. metadata: strings for the model's file."""

    model: Mapping[str, Array]
    training: Mapping[str, Array]
    config: Mapping[str, Any]
    metadata: Mapping[str, str]


def run_of(folder: Path) -> Path:
    """The folder of the run that a checkpoint's folder belongs to: `last` and `best` are inside it."""
    return folder.parent if folder.name in ("last", "best") else folder


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> str:
    """Saves into the folder, in place of the checkpoint there; gives the save's id.

    Raises OSError, which names the file, if it cannot (a full disk, say): the old checkpoint is then as it
    was. Raises FolderInUseError where another process or thread is saving into the folder, or into the run
    that it belongs to.
    """
    mark = secrets.token_hex(8)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FolderLock(run_of(folder)):
            _settle(folder)
            metadata = {**checkpoint.metadata, "checkpoint": mark}
            try:
                write_safetensors(_new(folder, MODEL, mark), checkpoint.model, metadata)
                write_safetensors(_new(folder, TRAINING, mark), checkpoint.training, {"checkpoint": mark})
                config = {**checkpoint.config, "format": FORMAT, "checkpoint": mark}
                with replace_file(folder / CONFIG) as file:
                    file.write(json.dumps(config, indent=1).encode())
                _settle(folder)
                return mark
            except BaseException:
                with suppress(OSError):
                    _settle(folder)
                raise
    except FolderInUseError:
        raise
    except OSError as error:
        if save_of(folder) == mark:  # it failed after the switch
            outcome = (
                "all the same the new one is whole, though its files may be renamed only by the next save"
            )
        else:
            outcome = "the checkpoint before it is whole" if exists(folder) else "there was none before it"
        where = error.filename or folder
        raise OSError(
            error.errno,
            f"Trainer: could not save the checkpoint: {where}: {error.strerror or error}; {outcome}",
            str(where),
        ) from error


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in the folder: of a folder that is being saved into, the old or the new one, whole.

    Raises FileNotFoundError where there is none, ValueError that names the file where one is damaged, missing
    or of another save.
    """
    for _ in range(_LOOKS):
        config = _read_config(folder)
        try:
            model, metadata = _read_tensors(folder, MODEL, config["checkpoint"])
            training, _ = _read_tensors(folder, TRAINING, config["checkpoint"])
        except ValueError:
            if _read_config(folder)["checkpoint"] == config["checkpoint"]:
                raise
        else:
            return Checkpoint(model, training, config, metadata)
    raise ValueError(f"read_checkpoint: {folder} is saved into so often that it cannot be read")


def exists(folder: Path) -> bool:
    """Whether the folder holds a checkpoint."""
    return (folder / CONFIG).is_file()


def save_of(folder: Path) -> str | None:
    """The id of the save in the folder; None where there is none that could be read."""
    try:
        return str(_read_config(folder)["checkpoint"])
    except (OSError, ValueError):
        return None


def model_file(folder: Path) -> Path:
    """The weights of the checkpoint in the folder, wherever an interrupted save has left them."""
    place = folder / MODEL
    mark = None if place.exists() else save_of(folder)
    return _new(folder, MODEL, mark) if mark is not None and _new(folder, MODEL, mark).exists() else place


def remove_checkpoint(folder: Path) -> None:
    """Removes the checkpoint with its folder. One that is broken off leaves none, and not a damaged one."""
    (folder / CONFIG).unlink()
    shutil.rmtree(folder)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"read_checkpoint: there is no checkpoint in {folder} (no {CONFIG})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"read_checkpoint: {path} is damaged: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ValueError(f"read_checkpoint: {path} is no checkpoint of format {FORMAT}")
    mark = str(config.get("checkpoint"))  # earlier versions counted the saves
    if not re.fullmatch(_MARK, mark):
        raise ValueError(
            f"read_checkpoint: {path} is damaged: checkpoint must be a save's id, got {mark:.80}"
        )
    return config | {"checkpoint": mark}


def _read_tensors(folder: Path, name: str, mark: str) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and metadata of the file that belongs to the save, whichever name it has by now."""
    path = folder / name
    problem: Exception | None = None
    # Looked at once more at the end: another process may just have renamed it.
    for place in (path, _new(folder, name, mark), path):
        try:
            arrays, metadata = read_safetensors(place)
        except FileNotFoundError:
            continue
        except ValueError as error:
            problem = error
            continue
        if metadata.get("checkpoint") == mark:
            return arrays, metadata
    if problem is not None:
        raise problem
    raise ValueError(f"read_checkpoint: {path} is missing or not of the save that {CONFIG} names")


def _settle(folder: Path) -> None:
    """Completes a save that was past its switch, clears away what others have left. Needs the folder's lock,
    under which every temporary file is one that a killed process left."""
    mark = save_of(folder)
    for path in list(folder.iterdir()):
        if match := _NEW.fullmatch(path.name):
            if match["mark"] == mark:
                os.replace(path, folder / match["name"])
            else:
                path.unlink()
        elif _TEMPORARY.fullmatch(path.name):
            path.unlink()


def _new(folder: Path, name: str, mark: str) -> Path:
    return folder / f"{name}.{mark}.new"
