"""Trainer: the training loop. Its parts have files of their own:

tbptt.py    cutting batches into segments, carrying the state, backprop that reaches k2 steps back
learner.py  one update: gradients added up, clipped, given to the optimizer
training.py what a trainer has: the parts, where training stands, what was measured so far
fit.py      one call of fit: the loop, and what is due after an update
meter.py, watch.py, history.py, csv_log.py, progress.py    what is measured, noticed, recorded and shown
checkpoint.py, snapshot.py                                 saving, and resuming to the same bits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from weftnn.arguments import check_count, check_number
from weftnn.data import DataSource
from weftnn.nn import Layer
from weftnn.nn.sequences import why_not_to_cut
from weftnn.optim import Optimizer
from weftnn.train import snapshot
from weftnn.train.fit import Fit
from weftnn.train.history import History, check_name
from weftnn.train.learner import Learner
from weftnn.train.meter import FromLoss, Meter, Metric
from weftnn.train.plan import Callback, Plan
from weftnn.train.position import Position
from weftnn.train.tbptt import Unroll
from weftnn.train.training import Training
from weftnn.train.watch import Watch


class Trainer(Training):
    """Trains a model on batches: forward, loss, backward, clip, optimizer step, again.

    model: a `weftnn.nn.Layer`. loss: called as `loss, backprop = loss(prediction, target, weight)`.
    optimizer: over the model's parameters. schedule: `lr = schedule(step, base_lr)`, see
        `weftnn.optim.schedule`; without one the optimizer's own lr holds.
    clip_norm, clip_value: clip the gradient by its common norm, or each element; of what the optimizer holds.
    accumulate: batches (with tbptt: segments) whose gradients make one update, as if they were one batch.
    tbptt: k, or (k1, k2): update every k1 steps of the sequences, with gradients that reach k2 steps back (k2
        = k by default); the state is carried within a batch, and from batch to batch as `carry_state` says.
    carry_state: None carries the state into batches that `continue` the one before; True always; False never.
    metrics: name -> function(prediction, target, weight) -> float, averaged by elements; weight is None or of
        the target's shape.
    from_loss: name -> function(mean loss) -> float: perplexity, bits per byte.
    seed: gives every layer that draws random numbers a seed of its own, derived from this one.

    Raises ValueError or TypeError for arguments that do not fit together.

    >>> from weftnn import data, nn, optim, train
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> model = nn.Linear(1, 1, rng=0)
    >>> trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.5))
    >>> history = trainer.fit(data.ArrayDataset((x, 3 * x + 1), batch_size=16), epochs=25, progress=False)
    >>> history.last["loss"] < 1e-3
    True
    """

    def __init__(
        self,
        model: Layer,
        loss: Any,
        optimizer: Optimizer,
        *,
        schedule: Any = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        accumulate: int = 1,
        tbptt: int | tuple[int, int] | None = None,
        carry_state: bool | None = None,
        metrics: Mapping[str, Metric] | None = None,
        from_loss: Mapping[str, FromLoss] | None = None,
        seed: int | None = None,
    ) -> None:
        _check_parts(model, loss, optimizer, schedule)
        if clip_norm is not None:
            clip_norm = check_number("Trainer", "clip_norm", clip_norm, above=0)
        if clip_value is not None:
            clip_value = check_number("Trainer", "clip_value", clip_value, above=0)
        if carry_state not in (None, True, False):
            raise TypeError(f"Trainer: carry_state must be None, True or False, got {carry_state!r}")
        if carry_state:
            _check_cuts("carry_state", model)
        _check_measures(metrics or {}, from_loss or {})
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.base_lr = optimizer.lr
        self.tbptt = _checked_tbptt(tbptt, model)
        self.carry_state = carry_state
        self.history = History()
        self.position = Position()
        self.meter = Meter(metrics or {}, from_loss or {})
        self.watch = Watch()
        context = self.tbptt[1] - self.tbptt[0] if self.tbptt else 0
        self.unroll = Unroll(model, context=context, carry=carry_state)
        self.learner = Learner(
            self.unroll,
            loss,
            optimizer,
            accumulate=check_count("Trainer", "accumulate", accumulate),
            clip_norm=clip_norm,
            clip_value=clip_value,
        )
        if seed is not None:
            _reseed(model, check_count("Trainer", "seed", seed, low=0))

    # ---- training ----

    def fit(
        self,
        data: DataSource,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        time_limit: float | None = None,
        validation: DataSource | None = None,
        validate_every: int | None = None,
        log_every: int | None = None,
        log_csv: str | PathLike[str] | None = None,
        checkpoint_dir: str | PathLike[str] | None = None,
        save_every: int | None = None,
        overwrite: bool = False,
        patience: int | None = None,
        min_delta: float = 0.0,
        monitor: str = "loss",
        higher_is_better: bool = False,
        callbacks: Sequence[Callback] = (),
        progress: bool = True,
    ) -> History:
        """Trains until a limit is reached and gives the history; at least one limit has to be given.

        epochs, steps: limits in all, counted from the trainer's first step, so that after `resume` the same
            call completes what was begun. A step is one update. time_limit: seconds of this call.
        validation: watched every `validate_every` steps, or at the end of each epoch, and when training ends.
        log_every: steps between records; there is one at each validation and epoch's end anyway.
        log_csv: a file that gets a line a record. Where that fails later on, a warning says so, once.
        checkpoint_dir: a folder that gets `best`, saved when the watched value is the best so far, and
            `last`, saved every `save_every` steps, or at the end of each epoch, and when training ends.
            One that holds a run which this trainer did not resume is refused unless `overwrite`; one that
            another process or thread is training in is refused in any case.
        patience: stops after so many checks of the watched value (`monitor`, a name in the validation's
            result or, without validation, in the training's) that were not better by `min_delta`.
        callbacks: functions (trainer, record) called at each record; one that returns True stops training.
        progress: a bar in a terminal, elsewhere a line for each record.

        Ctrl-C stops after the step it is in, saves `last`, and returns with `history.interrupted`; a second
        Ctrl-C stops at once and leaves the checkpoints there are. So do SIGTERM and SIGHUP (`history.signal`
        says which it was), unless the process ignores or handles them; none is caught outside the main
        thread. Raises ValueError or TypeError for bad arguments before work starts, OSError where a
        checkpoint cannot be saved, FolderInUseError where another run is in checkpoint_dir, DivergedError
        when the loss, the gradient or the weights become NaN or infinite; such a gradient changes no weight.
        """
        plan = Plan(
            data=data,
            epochs=epochs,
            steps=steps,
            time_limit=time_limit,
            validation=validation,
            validate_every=validate_every,
            log_every=log_every,
            log_csv=None if log_csv is None else Path(log_csv),
            checkpoint_dir=None if checkpoint_dir is None else Path(checkpoint_dir),
            save_every=save_every,
            patience=patience,
            min_delta=min_delta,
            monitor=monitor,
            higher_is_better=higher_is_better,
            callbacks=callbacks,
        )
        return Fit(self, plan, overwrite=overwrite, progress=progress).run()

    # ---- saving ----

    def save(self, folder: str | PathLike[str]) -> None:
        """Saves all that training depends on; a crash or a full disk leaves the folder's old checkpoint.

        Raises OSError, which names the file, if it cannot; FolderInUseError where another process or thread
        is saving there.
        """
        snapshot.save(self, Path(folder))

    def resume(self, folder: str | PathLike[str], *, lr: float | None = None) -> Trainer:
        """Takes back what was saved; training then goes on to the same bits as if it had never stopped.

        folder: a run's (its `last` is taken, or its `best` where it was killed before it saved a `last`), or
            a checkpoint's own. lr: go on with this learning rate instead.
        Everything is checked before anything is taken. Raises FileNotFoundError where there is no checkpoint,
        ValueError that names the file where one is damaged, or of another model or optimizer: the trainer is
        then as it was.
        """
        if lr is not None:
            lr = check_number("Trainer.resume", "lr", lr, low=0)
        snapshot.resume(self, Path(folder))
        if lr is not None:
            self.base_lr = self.optimizer.lr = lr
        return self


def _check_parts(model: Any, loss: Any, optimizer: Any, schedule: Any) -> None:
    """Refuses parts that are not what they should be, or do not belong together."""
    if not isinstance(model, Layer):
        raise TypeError(f"Trainer: model must be a weftnn.nn.Layer, got {type(model).__name__}")
    if not callable(loss) or not hasattr(loss, "predict"):
        raise TypeError(f"Trainer: loss must be a loss such as weftnn.nn.MSELoss(), got {loss!r:.80}")
    if getattr(loss, "reduction", "mean") == "none":
        raise ValueError("Trainer: loss must reduce to one number, 'mean' or 'sum', got reduction='none'")
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"Trainer: optimizer must be a weftnn.optim.Optimizer, got {type(optimizer).__name__}"
        )
    if schedule is not None and not callable(schedule):
        raise TypeError(f"Trainer: schedule must be a function (step, base_lr) -> lr, got {schedule!r:.80}")
    own = {id(parameter) for parameter in model.parameters()}
    strange = sum(id(parameter) not in own for parameter in optimizer.parameters)
    if strange:
        raise ValueError(
            f"Trainer: optimizer must hold parameters of the model, got {strange} that are not the model's"
        )


def _check_measures(metrics: Any, from_loss: Any) -> None:
    """Refuses what is not name -> function, and a name that is given twice."""
    for argument, functions in (("metrics", metrics), ("from_loss", from_loss)):
        if not isinstance(functions, Mapping) or not all(map(callable, functions.values())):
            raise TypeError(f"Trainer: {argument} must map names to functions, got {functions!r:.80}")
        for name in functions:
            check_name("Trainer", name)
    twice = sorted(metrics.keys() & from_loss.keys())
    if twice:
        raise ValueError(f"Trainer: metrics and from_loss must have names of their own, both have {twice}")


def _checked_tbptt(tbptt: Any, model: Layer) -> tuple[int, int] | None:
    """(k1, k2)."""
    if tbptt is None:
        return None
    pair = tbptt if isinstance(tbptt, (tuple, list)) else (tbptt, tbptt)
    if len(pair) != 2:
        raise ValueError(f"Trainer: tbptt must be k or (k1, k2), got {tbptt!r}")
    k1, k2 = (check_count("Trainer", name, value) for name, value in zip(("k1", "k2"), pair, strict=True))
    if k2 < k1:
        raise ValueError(
            f"Trainer: tbptt needs k2 >= k1, so that every step is learned from, got ({k1}, {k2})"
        )
    _check_cuts("tbptt", model)
    return k1, k2


def _check_cuts(argument: str, model: Layer) -> None:
    """Refuses a model that gives something else where its sequences are cut."""
    if not model.stateful:
        raise ValueError(f"Trainer: {argument} needs a model with a state, such as an LSTM")
    obstacle = why_not_to_cut(model)
    if obstacle is not None:
        raise ValueError(
            f"Trainer: {argument} cuts sequences, which changes what this model gives: {obstacle}"
        )


def _reseed(model: Layer, seed: int) -> None:
    """Gives each layer that draws random numbers a seed of its own."""
    paths = sorted(model.random_state())
    seeds = np.random.default_rng(seed).integers(2**63, size=len(paths))
    model.load_random_state({path: [int(value), 0] for path, value in zip(paths, seeds, strict=True)})
