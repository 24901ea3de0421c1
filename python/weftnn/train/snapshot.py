"""Snapshot: a trainer as a checkpoint, and a checkpoint as a trainer that goes on to the same bits.

What training depends on: weights, optimizer, learning rate and schedule, position in the data, the state
carried along the stream, the layers' random state, and what was measured and watched so far.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weftnn.config import __version__
from weftnn.data.batch import Array
from weftnn.train.checkpoint import (
    CONFIG,
    MODEL,
    TRAINING,
    Checkpoint,
    exists,
    read_checkpoint,
    run_of,
    save_of,
    write_checkpoint,
)
from weftnn.train.history import Record
from weftnn.train.meter import Meter
from weftnn.train.position import Position
from weftnn.train.stored import any_number_of, best_of, count_of, mapping_of, number_of
from weftnn.train.tbptt import Unroll
from weftnn.train.training import Training
from weftnn.train.watch import Watch


def save(trainer: Training, folder: Path) -> None:
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
    checkpoint = Checkpoint(_weights(trainer), training, config, trainer.model.metadata())
    saved = write_checkpoint(folder, checkpoint)
    if trainer.run_folder is not None and folder.resolve() == trainer.run_folder / "last":
        trainer.run_save = saved


def resume(trainer: Training, folder: Path) -> None:
    """Makes the trainer what it was. Raises FileNotFoundError without a checkpoint, ValueError, which names
    the file, for one that is damaged or not this trainer's; nothing of the trainer has changed then.
    """
    chosen = _chosen(folder)
    run = run_of(chosen)
    last_save = save_of(run / "last")  # before it is read: another run may be saving
    checkpoint, numbers = _checked(trainer, chosen)
    if chosen == run / "last" and exists(run / "best"):
        # A check when training ended may have found a better one than `last` knows of.
        _, best = _checked(trainer, run / "best")
    else:
        best = numbers
    _take(trainer, checkpoint, numbers, chosen)
    trainer.best = trainer.history.best = best.best
    trainer.history.best_step = best.best_step
    trainer.run_folder = run.resolve() if run != chosen else None
    trainer.run_save = last_save
    trainer.history.checkpoint = chosen


def _chosen(folder: Path) -> Path:
    """The checkpoint that a folder stands for: a run's last (or only) one, or the folder itself."""
    for candidate in (folder / "last", folder, folder / "best"):
        if exists(candidate):
            return candidate
    raise FileNotFoundError(f"Trainer.resume: there is no checkpoint in {folder}")


# ---- checking, which takes nothing ----


@dataclass(frozen=True)
class _Numbers:
    """What config.json says, checked."""

    base_lr: float
    position: Position
    best: float | None
    best_step: int | None
    history: list[Record]


def _checked(trainer: Training, folder: Path) -> tuple[Checkpoint, _Numbers]:
    """The checkpoint in the folder, if this trainer can take all of it."""
    try:
        checkpoint = read_checkpoint(folder)
    except ValueError as error:
        other = folder.with_name("best" if folder.name == "last" else "last")
        aside = (
            f"; remove {folder} to go on from {other}" if run_of(folder) != folder and exists(other) else ""
        )
        raise ValueError(f"Trainer.resume: {error}{aside}") from error
    config, training = checkpoint.config, checkpoint.training
    with _naming(folder / CONFIG):
        numbers = _numbers(config)
        _check_place(trainer, config)
        Watch().load_state_dict(dict(mapping_of(config, "watch")))
        meter = Meter(trainer.meter.metrics, trainer.meter.from_loss)
        meter.load_state_dict(dict(mapping_of(config, "meter")))
        mapping_of(config, "random")
        mapping_of(config, "stream")
        if config["schedule"] is not None:
            mapping_of(config, "schedule")
    with _naming(folder / MODEL):
        _check_model(trainer, checkpoint)
    with _naming(folder / TRAINING):
        strange = [name for name in training if not name.startswith(("optimizer.", "stream."))]
        if strange:
            raise ValueError(f"it has arrays that belong to nothing: {strange[0]:.80}")
        _check_optimizer(trainer, mapping_of(config, "optimizer"), _part(training, "optimizer."))
        Unroll(trainer.model).load_state_dict(_part(training, "stream."), config["stream"])
    return checkpoint, numbers


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Turns what is wrong with an entry into one error that names the file."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"Trainer.resume: {file} is damaged: {error!r:.300}") from error
    except ValueError as error:
        raise ValueError(f"Trainer.resume: {file}: {error}") from error


def _numbers(config: Mapping[str, Any]) -> _Numbers:
    position = mapping_of(config, "position")
    counts = {name: count_of(position, name) for name in ("step", "epoch", "segment", "tokens")}
    return _Numbers(
        base_lr=number_of(config, "base_lr", low=0),
        position=Position(seconds=number_of(position, "seconds", low=0), **counts),
        best=best_of(config, "best"),
        best_step=None if config["best_step"] is None else count_of(config, "best_step"),
        history=_records(config["history"]),
    )


def _records(history: Any) -> list[Record]:
    """The records, of numbers by name, with what every record has."""
    if not isinstance(history, list) or not all(isinstance(record, dict) for record in history):
        raise TypeError(f"history must be a list of records, got {history!r:.80}")
    for record in history:
        for name in ("epoch", "step", "tokens"):
            count_of(record, name)
        for name in ("seconds", "lr"):
            number_of(record, name, low=0)
        for name in record:
            any_number_of(record, name)
    return history


def _weights(trainer: Training) -> dict[str, Array]:
    return {name: parameter.data for name, parameter in trainer.model.all_parameters()}


def _under_all_names(trainer: Training, arrays: Any) -> dict[str, Array]:
    """The arrays, a tied weight's under each of its names: a file may have it under one."""
    named = dict(trainer.model.all_parameters())
    given = {id(parameter): arrays[name] for name, parameter in named.items() if name in arrays}
    tied = {name: given[id(parameter)] for name, parameter in named.items() if id(parameter) in given}
    return {**tied, **arrays}


def _part(arrays: Any, prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _check_model(trainer: Training, checkpoint: Checkpoint) -> None:
    """Refuses the checkpoint of another model."""
    own, other = _weights(trainer), _under_all_names(trainer, checkpoint.model)
    problems = [f"lacks {name}" for name in own if name not in other]
    problems += [f"has {name:.80}, which this model lacks" for name in other if name not in own]
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
    for name, array in other.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are NaN or infinite")


def _check_optimizer(trainer: Training, scalars: Mapping[str, Any], arrays: dict[str, Array]) -> None:
    """Refuses what the optimizer would refuse, which is known only when it has taken it, and NaN."""
    own_arrays, own_scalars = trainer.optimizer.state_dict()
    name = trainer.optimizer.name
    if scalars["optimizer"] != own_scalars.get("optimizer"):
        raise ValueError(f"{name}: the state is of another optimizer, {scalars['optimizer']!s:.80}")
    count_of(scalars, "steps")
    number_of(scalars, "lr", low=0)
    for path in sorted(own_arrays.keys() | arrays.keys()):
        own, other = (
            f"{found[path].dtype} {found[path].shape}" if path in found else "nothing"
            for found in (own_arrays, arrays)
        )
        if own != other:
            raise ValueError(f"{name}: state {path:.80} must be {own}, got {other}")
        if np.isnan(arrays[path]).any():
            raise ValueError(f"{name}: state {path} holds NaN")


def _check_place(trainer: Training, config: Any) -> None:
    """Refuses to go on in the middle of an epoch that would be cut differently."""
    there = (config["tbptt"], config["accumulate"])
    here = (list(trainer.tbptt) if trainer.tbptt else None, trainer.learner.accumulate)
    if config["position"]["segment"] and there != here:
        raise ValueError(
            "the checkpoint stands in the middle of an epoch, with (tbptt, accumulate) = "
            f"{there}; the trainer has {here}"
        )


# ---- taking, of what has been checked ----


def _take(trainer: Training, checkpoint: Checkpoint, numbers: _Numbers, folder: Path) -> None:
    """Takes all of a checkpoint. What may still refuse comes first: a user's own schedule or optimizer."""
    config, training, model = checkpoint.config, checkpoint.training, trainer.model
    schedule: Any = trainer.schedule if config["schedule"] is not None else None
    stateful = hasattr(schedule, "load_state_dict")
    schedule_before = schedule.state_dict() if stateful else None
    random_before = model.random_state()
    try:
        with _naming(folder / CONFIG):
            if stateful:
                schedule.load_state_dict(config["schedule"])
            model.load_random_state(config["random"])
        with _naming(folder / TRAINING):
            trainer.optimizer.load_state_dict(_part(training, "optimizer."), dict(config["optimizer"]))
    except BaseException:
        if stateful:
            schedule.load_state_dict(schedule_before)
        model.load_random_state(random_before)
        raise
    model.load_state_dict(checkpoint.model)
    trainer.unroll.load_state_dict(_part(training, "stream."), config["stream"])
    trainer.meter.load_state_dict(config["meter"])
    trainer.watch.load_state_dict(config["watch"])
    trainer.base_lr = numbers.base_lr
    for name, value in asdict(numbers.position).items():
        setattr(trainer.position, name, value)
    trainer.history.records[:] = numbers.history
