"""Snapshot: a trainer as a checkpoint, and a checkpoint as a trainer that goes on to the same bits.

What training depends on: weights, optimizer, learning rate and schedule, position in the data, the state
carried along the stream, the layers' random state, and what was measured and watched so far.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.config import __version__
from weft.data.batch import Array
from weft.train.checkpoint import Checkpoint, exists, read_checkpoint, write_checkpoint

if TYPE_CHECKING:
    from weft.train.trainer import Trainer


def save(trainer: Trainer, folder: Path) -> None:
    """Writes the trainer's checkpoint. Raises OSError if it cannot; the old one is then whole."""
    optimizer_arrays, optimizer = trainer.optimizer.state_dict()
    stream_arrays, stream = trainer.unroll.state_dict()
    schedule = trainer.schedule
    config = {
        "weft": __version__,
        "model": type(trainer.model).__name__,
        "position": asdict(trainer.position),
        "optimizer": optimizer,
        "base_lr": trainer.base_lr,
        "schedule": schedule.state_dict() if hasattr(schedule, "state_dict") else None,
        "random": trainer.model.random_state(),
        "stream": stream,
        "meter": trainer.meter.state_dict(),
        "watch": trainer.watch.state_dict(),
        "best": trainer.best,
        "best_step": trainer.history.best_step,
        "tbptt": list(trainer.tbptt) if trainer.tbptt else None,
        "accumulate": trainer.learner.accumulate,
        "history": trainer.history.records,
    }
    training = {f"optimizer.{name}": array for name, array in optimizer_arrays.items()}
    training |= {f"stream.{name}": array for name, array in stream_arrays.items()}
    write_checkpoint(folder, Checkpoint(_weights(trainer), training, config, trainer.model.metadata()))


def resume(trainer: Trainer, folder: Path) -> None:
    """Makes the trainer what it was. Raises FileNotFoundError without a checkpoint, ValueError for one that
    is not this trainer's; nothing of the trainer has changed then.
    """
    chosen = _chosen(folder)
    checkpoint = read_checkpoint(chosen)
    try:
        _check_model(trainer, checkpoint)
        _check_place(trainer, checkpoint.config)
        trainer.optimizer.load_state_dict(
            _part(checkpoint.training, "optimizer."), checkpoint.config["optimizer"]
        )
        trainer.model.load_state_dict(checkpoint.model)
        _take_numbers(trainer, checkpoint)
    except (KeyError, TypeError) as error:
        raise ValueError(f"Trainer.resume: {chosen} is damaged: {error!r}") from error
    except ValueError as error:
        raise ValueError(f"Trainer.resume: {chosen}: {error}") from error
    trainer.run_folder = chosen.parent.resolve() if chosen.name in ("last", "best") else None
    best = chosen.parent / "best"
    if trainer.run_folder and exists(best):
        # A check when training ended may have found a better one than `last` knows of.
        config = read_checkpoint(best).config
        trainer.best = trainer.history.best = config["best"]
        trainer.history.best_step = config["best_step"]
    trainer.history.checkpoint = chosen


def _chosen(folder: Path) -> Path:
    """The checkpoint that a folder stands for: a run's last (or only) one, or the folder itself."""
    for candidate in (folder / "last", folder, folder / "best"):
        if exists(candidate):
            return candidate
    raise FileNotFoundError(f"Trainer.resume: there is no checkpoint in {folder}")


def _weights(trainer: Trainer) -> dict[str, Array]:
    return {name: parameter.data for name, parameter in trainer.model.all_parameters()}


def _under_all_names(trainer: Trainer, arrays: Any) -> dict[str, Array]:
    """The arrays, a tied weight's under each of its names: a file may have it under one."""
    named = dict(trainer.model.all_parameters())
    given = {id(parameter): arrays[name] for name, parameter in named.items() if name in arrays}
    tied = {name: given[id(parameter)] for name, parameter in named.items() if id(parameter) in given}
    return {**tied, **arrays}


def _part(arrays: Any, prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _check_model(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Refuses the checkpoint of another model."""
    own, other = _weights(trainer), _under_all_names(trainer, checkpoint.model)
    problems = [f"lacks {name}" for name in own if name not in other]
    problems += [f"has {name}, which this model lacks" for name in other if name not in own]
    problems += [
        f"has {name} {other[name].dtype} {other[name].shape}, here {array.dtype} {array.shape}"
        for name, array in own.items()
        if name in other and (array.shape, array.dtype) != (other[name].shape, other[name].dtype)
    ]
    if checkpoint.config["random"].keys() != trainer.model.random_state().keys():
        problems.append("has other layers that draw random numbers (dropout)")
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise ValueError("the checkpoint is of another model: it " + "; ".join(problems[:5]) + more)


def _check_place(trainer: Trainer, config: Any) -> None:
    """Refuses to go on in the middle of an epoch that would be cut differently."""
    if not config["position"]["segment"]:
        return
    there = (config["tbptt"], config["accumulate"])
    here = (list(trainer.tbptt) if trainer.tbptt else None, trainer.learner.accumulate)
    if there != here:
        raise ValueError(
            "the checkpoint stands in the middle of an epoch, with (tbptt, accumulate) = "
            f"{there}; the trainer has {here}"
        )


def _take_numbers(trainer: Trainer, checkpoint: Checkpoint) -> None:
    config = checkpoint.config
    trainer.model.load_random_state(config["random"])
    trainer.base_lr = float(config["base_lr"])
    if config["schedule"] is not None and hasattr(trainer.schedule, "load_state_dict"):
        trainer.schedule.load_state_dict(config["schedule"])
    for name, value in config["position"].items():
        setattr(trainer.position, name, value)
    trainer.unroll.load_state_dict(_part(checkpoint.training, "stream."), config["stream"])
    trainer.meter.load_state_dict(config["meter"])
    trainer.watch.load_state_dict(config["watch"])
    trainer.best = trainer.history.best = config["best"]
    trainer.history.best_step = config["best_step"]
    trainer.history.records[:] = config["history"]
