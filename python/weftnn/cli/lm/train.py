"""`weftnn lm train`: read text, build a model or go on with one, train it, say how to go on from there."""

from __future__ import annotations

import argparse
import math
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn import nn
from weftnn.cli.arguments import CommandError
from weftnn.cli.file_names import quoted
from weftnn.cli.lm.corpus import Corpus, check_lengths, read_corpus
from weftnn.cli.lm.learning import check_combination, make_model, make_optimizer, make_schedule
from weftnn.cli.lm.resume import find_run, resume_command, same_corpus
from weftnn.cli.lm.run_folder import RunFolder
from weftnn.cli.lm.scoring import validated_bytes
from weftnn.cli.lm.train_report import print_header, print_interrupted, print_result
from weftnn.cli.lm.train_settings import (
    DEFAULT_RATES,
    DEFAULT_STEPS,
    TrainSettings,
    arguments_of,
    settings_of,
)
from weftnn.cli.threads import use_threads
from weftnn.config import set_precision
from weftnn.data import TextStream, Windows
from weftnn.models import ByteModel, validation_source
from weftnn.train import DivergedError, History, Trainer

__all__ = ["run_train"]

_VALIDATIONS = 10


@dataclass(frozen=True)
class Job:
    """All that training needs, checked. total_steps is None where only the clock ends it."""

    settings: TrainSettings
    corpus: Corpus
    stream: TextStream | Windows
    trainer: Trainer
    total_steps: int | None


def run_train(arguments: argparse.Namespace) -> int:
    with ExitStack() as held:
        return _run(vars(arguments), held)


def _run(given: Mapping[str, Any], held: ExitStack) -> int:
    """held: what is given back when the command ends."""
    if given.get("resume") is not None:
        job, folder = _resumed(given, held)
    else:
        job, folder = _begun(given, held)
    print_header(job.settings, job.corpus, job.stream, job.trainer, job.total_steps, folder)
    history = _fit(job, folder)
    if history.interrupted:
        print_interrupted(history, job.settings, job.trainer.position.step, job.total_steps, folder)
        return 128 + (history.signal or signal.SIGINT)
    try:
        print_result(history, job.settings, job.corpus, folder)
    except KeyboardInterrupt:
        saved = f"interrupted after training, whose model is saved: weftnn lm sample {quoted(folder.path)}"
        raise CommandError(saved, code=130) from None
    return 0


def _begun(given: Mapping[str, Any], held: ExitStack) -> tuple[Job, RunFolder]:
    """A new run."""
    settings = settings_of(given)
    check_combination(settings)
    use_threads(settings.threads)
    RunFolder.check(settings.out)
    corpus = read_corpus(settings)
    check_lengths(settings, corpus)
    job = _prepared(settings, corpus)
    return job, RunFolder.create(settings.out, _remembered(job), job.corpus.texts, held)


def _resumed(given: Mapping[str, Any], held: ExitStack) -> tuple[Job, RunFolder]:
    """A run that was begun before, where its last checkpoint left it."""
    settings, folder = find_run(given)
    folder.claim(held)
    check_combination(settings)
    use_threads(settings.threads)
    job = _prepared(settings, same_corpus(settings, folder))
    if folder.has_checkpoint:
        try:
            job.trainer.resume(folder.path, lr=settings.rate)  # which may be another now
        except (OSError, ValueError) as error:
            raise CommandError(f"cannot go on with the run in {str(folder.path)!r}: {error}") from None
    done = job.trainer.position.step
    if job.total_steps is not None and done >= job.total_steps:
        raise CommandError(
            f"the run in {str(folder.path)!r} is complete ({done:,} steps); to train it further: "
            f"{resume_command(settings, folder)} --steps {2 * done}"
        )
    try:
        folder.describe(_remembered(job), job.corpus.texts)
    except OSError as error:
        raise CommandError(f"cannot write to the folder {str(folder.path)!r}: {error.strerror}") from None
    return job, folder


def _prepared(settings: TrainSettings, corpus: Corpus) -> Job:
    set_precision(settings.precision)
    stream = _stream(settings, corpus.train)
    total = _total_steps(settings, len(stream))
    model = make_model(settings)
    trainer = Trainer(
        model,
        nn.CrossEntropyLoss(),
        make_optimizer(settings, model),
        schedule=make_schedule(settings, total),
        clip_norm=settings.clip or None,
        from_loss={"bits_per_byte": lambda loss: loss / math.log(2)},
    )
    return Job(settings, corpus, stream, trainer, total)


def _stream(settings: TrainSettings, ids: npt.NDArray[np.uint8]) -> TextStream | Windows:
    """Streams that carry the state on; for a gpt, which has none, windows in random order."""
    batch, sequence, seed = settings.batch, settings.sequence, settings.seed
    if settings.model == "gpt":
        return Windows(ids, sequence, stride=sequence, batch_size=batch, seed=seed)
    return TextStream(ids, batch, sequence, seed=seed)


def _total_steps(settings: TrainSettings, steps_of_epoch: int) -> int | None:
    limits = [settings.steps, None if settings.epochs is None else settings.epochs * steps_of_epoch]
    known = [limit for limit in limits if limit is not None]
    if known:
        return min(known)
    return None if settings.time_limit is not None else DEFAULT_STEPS


def _remembered(job: Job) -> list[str]:
    return arguments_of(job.settings.resolved(job.total_steps))


def _fit(job: Job, folder: RunFolder) -> History:
    """Train. Raises CommandError with code 1 where training or saving fails; what was saved stays."""
    settings, held_out, model = job.settings, job.corpus.held_out, job.trainer.model
    assert isinstance(model, ByteModel)
    validated = validated_bytes(model)
    validation = None if held_out is None else validation_source(model, held_out[:validated])
    every = settings.validate_every
    if every is None:
        every = max(1, -(-job.total_steps // _VALIDATIONS)) if job.total_steps is not None else 100
    go_on = f"Go on from the last checkpoint with:  {resume_command(settings, folder)}"
    try:
        return job.trainer.fit(
            job.stream,
            steps=job.total_steps,
            time_limit=settings.time_limit,
            validation=validation,
            validate_every=every if validation is not None else None,
            log_every=max(1, every // 4),
            log_csv=folder.log,
            checkpoint_dir=folder.path,
            save_every=every,
            patience=settings.patience,
            progress=not settings.quiet,
        )
    except DivergedError as error:
        raise _diverged(error, settings, folder) from None
    except OSError as error:
        raise CommandError(error.strerror or str(error), code=1, hint=go_on) from None
    except KeyboardInterrupt:
        raise CommandError("interrupted at once", code=130, hint=go_on) from None


def _diverged(error: DivergedError, settings: TrainSettings, folder: RunFolder) -> CommandError:
    """What diverged, and the command that goes on with the last good checkpoint, or begins again."""
    rate = min(settings.rate / 10, DEFAULT_RATES[settings.optimizer])
    clip = "" if settings.clip else " --clip 1"
    where = "Go on from the last good checkpoint" if folder.has_checkpoint else "Begin again"
    return CommandError(
        f"{error.what} at step {error.step:,}, with --lr {settings.rate:g} and --clip {settings.clip:g}",
        code=1,
        hint=f"{where}, more cautiously:  {resume_command(settings, folder)} --lr {rate:g}{clip}",
    )
