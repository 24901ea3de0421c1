"""Claiming a folder for a trainer's run: another's is refused, or cleared away if told so."""

from __future__ import annotations

from pathlib import Path

from weftnn.train.checkpoint import exists, remove_checkpoint, save_of
from weftnn.train.training import Training


def check_folder(trainer: Training, folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder with another run, unless that is to be overwritten. Raises FileExistsError."""
    taken = exists(folder / "last") or exists(folder / "best")
    if taken and not overwrite and not _is_own(trainer, folder):
        raise FileExistsError(
            f"Trainer.fit: checkpoint_dir {folder} holds a run already; go on with it by "
            f"trainer.resume({str(folder)!r}), give another folder, or overwrite=True"
        )


def claim_folder(trainer: Training, folder: Path) -> None:
    """Makes the folder the trainer's run's; clears another run's checkpoints away."""
    if _is_own(trainer, folder):
        return
    for old in (folder / "last", folder / "best"):
        if exists(old):
            remove_checkpoint(old)
    trainer.run_folder, trainer.run_save, trainer.best = folder.resolve(), None, None


def _is_own(trainer: Training, folder: Path) -> bool:
    """Whether the run in the folder is this trainer's, and no other has gone on with it meanwhile."""
    saved = save_of(folder / "last")
    return folder.resolve() == trainer.run_folder and saved in (None, trainer.run_save)
