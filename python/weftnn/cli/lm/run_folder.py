"""The folder of a training run: what is in it, making a new one, finding an old one again.

    run.json            how the run was set up: its arguments and the text's digest; what --resume reads
    best/               the best checkpoint so far; `weftnn lm sample` and `weftnn lm eval` take its model
    last/               the last checkpoint, for --resume
    log.csv  loss.png   the course of the loss
    sample.txt          the sample at the end
    .lock               while a run is in it

A folder that holds another run is never written to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import weftnn
from weftnn.cli.arguments import CommandError
from weftnn.cli.file_names import from_json, quoted, to_json
from weftnn.cli.text import Text
from weftnn.files import replace_file
from weftnn.models.byte_model import find_model
from weftnn.train import FolderInUseError
from weftnn.train.checkpoint import exists
from weftnn.train.folder_lock import FolderLock

__all__ = ["RunFolder"]

_RUN_FILE = "run.json"
_FORMAT = 1
_TEXTS = {"text", "validation"}
_LARGEST_RUN_FILE = 64_000_000  # thousands of texts may be named in it


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run."""

    path: Path

    @property
    def has_model(self) -> bool:
        return find_model(self.path).is_file()

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to go on from: `best` alone, where the run was killed before `last`."""
        return exists(self.path / "last") or exists(self.path / "best")

    @property
    def log(self) -> Path:
        return self.path / "log.csv"

    @property
    def curve(self) -> Path:
        return self.path / "loss.png"

    @property
    def sample(self) -> Path:
        return self.path / "sample.txt"

    @classmethod
    def check(cls, out: str | None) -> None:
        """Refuse a folder that cannot take a new run, before any work is done."""
        if out is None:
            return
        path = Path(out)
        if path.exists() and not path.is_dir():
            raise CommandError(f"--out {out!r} is a file, must be a folder")
        taken = [
            name
            for name in (_RUN_FILE, "model.safetensors", "best", "last", "log.csv")
            if (path / name).exists()
        ]
        if taken:
            advice = (
                f", or go on with that run: weftnn lm train --resume {quoted(out)}"
                if _RUN_FILE in taken
                else ""
            )
            raise CommandError(
                f"--out {out!r} holds another run ({', '.join(taken)}), which stays: name another folder"
                f"{advice}"
            )

    @classmethod
    def create(
        cls, out: str | None, arguments: Sequence[str], texts: Mapping[str, Text], held: ExitStack
    ) -> RunFolder:
        """Make the folder, or the first free runs/lm-N, claim it, and write into it how the run is set up."""
        cls.check(out)
        try:
            folder = cls(_next_free(Path("runs")) if out is None else Path(out))
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.claim(held)
            cls.check(out)  # once more: another run may have begun and ended there meanwhile
            folder.describe(arguments, texts)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            reason = error.strerror if isinstance(error, OSError) else error
            raise CommandError(f"cannot write to the folder {out or 'runs'!r}: {reason}") from None
        return folder

    def claim(self, held: ExitStack) -> None:
        """Keep every other run out of the folder until `held` is closed, which is when the command ends."""
        try:
            held.enter_context(FolderLock(self.path))
        except FolderInUseError as error:
            raise CommandError(
                f"the folder {str(self.path)!r} is in use by {error.holder}: wait for its end, or stop it"
            ) from None
        except OSError as error:
            raise CommandError(f"cannot write to the folder {str(self.path)!r}: {error.strerror}") from None

    def describe(self, arguments: Sequence[str], texts: Mapping[str, Text]) -> None:
        """Write run.json. Raises OSError."""
        description = {
            "format": _FORMAT,
            "weft": weftnn.__version__,
            "arguments": list(arguments),
            **{
                name: {
                    "sources": list(map(to_json, text.sources)),
                    "bytes": int(text.ids.size),
                    "sha256": text.digest,
                }
                for name, text in texts.items()
            },
        }
        with replace_file(self.path / _RUN_FILE) as file:
            file.write(json.dumps(description, indent=1).encode() + b"\n")

    def description(self) -> dict[str, Any]:
        """What `create` wrote. Raises CommandError where there is no run, or no whole one."""
        file = self.path / _RUN_FILE
        if not self.path.is_dir():
            raise CommandError(
                f"--resume must be the folder of a run, but there is no folder {str(self.path)!r}"
            )
        if not file.is_file():
            raise CommandError(f"--resume {str(self.path)!r} holds no run (it has no {_RUN_FILE})")
        try:
            with file.open("rb") as stream:
                description = json.loads(stream.read(_LARGEST_RUN_FILE))
        except OSError as error:
            raise CommandError(f"cannot read {str(file)!r}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise CommandError(f"{str(file)!r} is damaged: it is not JSON") from None
        if not isinstance(description, dict) or not _is_whole(description):
            raise CommandError(f"{str(file)!r} is damaged, or written by a newer weft")
        try:
            for name in _TEXTS & description.keys():
                description[name]["sources"] = list(map(from_json, description[name]["sources"]))
        except ValueError:
            raise CommandError(f"{str(file)!r} is damaged: a text's name is none") from None
        return description


def _is_whole(description: dict[str, Any]) -> bool:
    arguments = description.get("arguments")
    if description.get("format") != _FORMAT or not isinstance(arguments, list):
        return False
    texts = [description[name] for name in _TEXTS & description.keys()]
    return (
        "text" in description
        and all(isinstance(argument, str) for argument in arguments)
        and all(
            isinstance(text, dict)
            and isinstance(text.get("sha256"), str)
            and isinstance(text.get("sources"), list)
            and all(isinstance(source, str) for source in text["sources"])
            for text in texts
        )
    )


def _next_free(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = parent / f"lm-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("unreachable")
