"""Fit: one call of `Trainer.fit`, from its first step to its last.

An update is followed by what is due: a record, a validation, a checkpoint, a reason to stop. All of it is
noted in the trainer before a checkpoint is saved, so that whoever resumes it takes the same path.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, TypeVar

from weftnn import ops
from weftnn.arguments import check_choice
from weftnn.data import Batch
from weftnn.train.claim import check_folder, claim_folder
from weftnn.train.csv_log import CsvLog
from weftnn.train.diverged import DivergedError, first_not_finite
from weftnn.train.folder_lock import FolderLock
from weftnn.train.history import FIRST_COLUMNS, NORM, VALIDATION, History, Record
from weftnn.train.interrupt import Interrupt
from weftnn.train.plan import Plan
from weftnn.train.progress import Progress
from weftnn.train.tbptt import segments
from weftnn.train.training import Training
from weftnn.train.watch import Watch

Item = TypeVar("Item")


class Fit:
    """Runs a plan on a trainer."""

    def __init__(self, trainer: Training, plan: Plan, *, overwrite: bool, progress: bool) -> None:
        self.trainer = trainer
        self.plan = plan
        self.history: History = trainer.history
        self.position = trainer.position
        self.meter = trainer.meter
        self.reason: str | None = None
        self.norm = 0.0
        self._validated: int | None = None
        self._show = progress
        self._overwrite = overwrite
        self._log: CsvLog | None = None
        self.interrupt = Interrupt()

    def run(self) -> History:
        """Trains until there is a reason to stop."""
        plan = self.plan
        check_choice("Trainer.fit", "monitor", plan.monitor, self.meter.names)
        with ExitStack() as stack:
            if plan.checkpoint_dir is not None:
                stack.enter_context(FolderLock(plan.checkpoint_dir))
                check_folder(self.trainer, plan.checkpoint_dir, overwrite=self._overwrite)
            if plan.log_csv is not None:
                log = CsvLog(plan.log_csv, self._columns(), self.history.records)
                self._log = stack.enter_context(log)
            if plan.checkpoint_dir is not None:  # nothing more is refused: from here on things change
                claim_folder(self.trainer, plan.checkpoint_dir)
            self._take_watch()
            self.progress = stack.enter_context(Progress(self._show))
            return self._run()

    def _run(self) -> History:
        self.history.stopped = self.history.signal = None
        self.trainer.learner.pending = 0  # a fit that was broken off may have left part of an update
        self._begun = self._marked = time.monotonic()
        self._seconds_before, self._tokens_marked = self.position.seconds, self.position.tokens
        first_step = self.position.step
        try:
            with self.interrupt:
                self.reason = self._limit()
                while self.reason is None:
                    self._epoch()
                if self.interrupt.asked is None and self.position.step > first_step:
                    self._last_check()
        except KeyboardInterrupt:
            self.reason = "interrupted"
        if self.interrupt.asked is not None:  # perhaps only while looking at the trained model
            self.reason, self.history.signal = "interrupted", self.interrupt.asked
        self.history.stopped = self.reason
        if self.reason == "interrupted":
            where = f"; kept: {self.history.checkpoint}" if self.history.checkpoint else ""
            self.progress.say(f"interrupted at step {self.position.step}{where}")
        return self.history

    # ---- the loop ----

    def _epoch(self) -> None:
        """Learns from the rest of the epoch, or until there is a reason to stop."""
        position, learner = self.position, self.trainer.learner
        stream = segments(self.plan.data, position.epoch, self.trainer.k1)
        nothing = True
        for (batch, segment), last in _marking_last(islice(stream, position.segment, None)):
            nothing = False
            position.segment += 1
            self._learn(segment)
            if learner.pending == learner.accumulate or last:
                self._update(batch, last)
                if self.reason is not None:
                    return
        if nothing:
            raise ValueError(
                f"Trainer.fit: data gave nothing in epoch {position.epoch + 1} "
                f"from segment {position.segment} on"
            )

    def _learn(self, segment: Batch) -> None:
        loss, count, prediction = self.trainer.learner.learn(segment)
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss}")
        tokens = segment.tokens
        self.position.tokens += tokens
        metrics = self.meter.measure(prediction, segment) if self.meter.metrics else None
        self.meter.add(loss, count, tokens, metrics)

    def _update(self, batch: int, last: bool) -> None:
        trainer, position = self.trainer, self.position
        lr = trainer.optimizer.lr
        if trainer.schedule is not None:
            lr = float(trainer.schedule(position.step, trainer.base_lr))
        self.norm = trainer.learner.update(lr)
        if not math.isfinite(self.norm):
            trained = {id(parameter) for parameter in trainer.optimizer.parameters}
            gradients = [(name, p.grad) for name, p in trainer.model.named_parameters() if id(p) in trained]
            raise self._diverged(f"the gradient's norm became {self.norm}", first_not_finite(gradients))
        position.step += 1
        position.seconds = self._seconds_before + time.monotonic() - self._begun
        epochs_read = position.epoch + (1.0 if last else batch / len(self.plan.data))
        if last:
            position.epoch, position.segment = position.epoch + 1, 0
        if self.progress.due or self._limit():
            done = self.plan.fraction(epochs_read, position.step, position.seconds - self._seconds_before)
            epoch = position.epoch + (0 if last else 1)
            self.progress.show(done, epoch, position.step, position.tokens, self.meter.means())
        self._follow_up(last)

    def _follow_up(self, last: bool) -> None:
        """What is due after an update; `last`: of its epoch."""
        plan, step = self.plan, self.position.step
        validate = plan.validation is not None and _due(step, plan.validate_every, last)
        best, stops = False, [False]
        if validate or last or (plan.log_every is not None and step % plan.log_every == 0):
            record = self._record(last, validate)
            if validate or (plan.validation is None and last):
                best = self._observe(record)
            stops += [callback(self.trainer, record) is True for callback in plan.callbacks]
        self.reason = (
            self._limit()
            or ("patience" if self.trainer.watch.exhausted and (validate or last) else None)
            or ("callback" if any(stops) else None)
            or ("interrupted" if self.interrupt.asked is not None else None)
        )
        if best:
            self._save("best")
        if self.reason is not None or _due(step, plan.save_every, last):
            self._save("last")

    def _last_check(self) -> None:
        """Looks at the trained model once more if the last step was not a check.

        Whoever resumes would not have come by here, so it stays out of `last`, of the patience and of the
        schedule.
        """
        validate = self.plan.validation is not None and self._validated != self.position.step
        if self.meter.count or validate:
            record = self._record(False, validate)
            if validate and self._is_best(record):
                self._save("best")

    def _limit(self) -> str | None:
        position = self.position
        return self.plan.reached(position.epoch, position.step, position.seconds - self._seconds_before)

    # ---- measuring ----

    def _record(self, last: bool, validate: bool) -> Record:
        """Notes where training is; the means are since the record before."""
        position, now = self.position, time.monotonic()
        passed = max(now - self._marked, 1e-9)
        record: Record = {
            "epoch": position.epoch + (0 if last else 1),
            "step": position.step,
            "tokens": position.tokens,
            "seconds": round(position.seconds, 3),
            "lr": self.trainer.optimizer.lr,
        }
        if self.meter.count:  # nothing, if this step has been recorded before
            record["tokens_per_second"] = round((position.tokens - self._tokens_marked) / passed, 1)
            record |= self.meter.means()
            if self.trainer.learner.clip_norm is not None:
                record[NORM] = self.norm
        if validate and self.plan.validation is not None:
            self.progress.busy("validating")
            means = self.trainer.evaluate(self.plan.validation)
            if not math.isfinite(means["loss"]):
                raise self._diverged(f"the validation loss became {means['loss']}")
            record |= {VALIDATION + name: value for name, value in means.items()}
            self._validated = position.step
        self.meter.clear()
        self.history.records.append(record)
        if self._log is not None:
            self._log.add(record)
        self.progress.note(record)
        self._marked, self._tokens_marked = time.monotonic(), position.tokens
        return record

    def _observe(self, record: Record) -> bool:
        """Tells schedule and patience of the watched value; True if it is the best so far."""
        value = self._watched(record)
        if hasattr(self.trainer.schedule, "observe"):
            self.trainer.schedule.observe(value)
        self.trainer.watch.observe(value)
        return self._is_best(record)

    def _is_best(self, record: Record) -> bool:
        value = self._watched(record)
        if not self.trainer.watch.beats(value, self.trainer.best):
            return False
        self.trainer.best = self.history.best = value
        self.history.best_step = self.position.step
        return True

    def _watched(self, record: Record) -> float:
        prefix = VALIDATION if self.plan.validation is not None else ""
        return record[prefix + self.plan.monitor]

    def _columns(self) -> list[str]:
        norm = [NORM] if self.trainer.learner.clip_norm is not None else []
        checked = [VALIDATION + name for name in self.meter.names] if self.plan.validation else []
        return [*FIRST_COLUMNS, *self.meter.names, *norm, *checked]

    # ---- keeping ----

    def _save(self, name: str) -> None:
        """Saves "best" or "last", unless the weights are spoilt, which their loss would show only later."""
        if self.plan.checkpoint_dir is None:
            return
        weights = [(name, parameter.data) for name, parameter in self.trainer.model.named_parameters()]
        if not math.isfinite(ops.grad_norm([data for _, data in weights])):
            raise self._diverged("the weights became NaN or infinite", first_not_finite(weights))
        folder = self.plan.checkpoint_dir / name
        self.trainer.save(folder)
        self.history.checkpoint = folder

    def _take_watch(self) -> None:
        """The trainer's watch goes on, with this plan's patience; another quantity begins anew."""
        plan, trainer = self.plan, self.trainer
        watch = Watch(plan.monitor, plan.patience, plan.min_delta, plan.higher_is_better)
        if trainer.watch.is_like(watch):
            watch.load_state_dict(trainer.watch.state_dict())
        else:
            trainer.best = None
        trainer.watch = watch

    def _diverged(self, what: str, parameter: str | None = None) -> DivergedError:
        self.history.stopped = "diverged"
        return DivergedError(
            what,
            step=self.position.step + 1,
            epoch=self.position.epoch + 1,
            lr=self.trainer.optimizer.lr,
            clip_norm=self.trainer.learner.clip_norm,
            checkpoint=self.history.checkpoint,
            history=self.history,
            parameter=parameter,
        )


def _due(step: int, every: int | None, last: bool) -> bool:
    """Whether something is due that happens every so many steps, or at the end of each epoch."""
    return last if every is None else step % every == 0


def _marking_last(items: Iterable[Item]) -> Iterator[tuple[Item, bool]]:
    """Each item, and whether it is the last.

    >>> list(_marking_last("ab"))
    [('a', False), ('b', True)]
    """
    iterator = iter(items)
    end: Any = object()
    item: Any = next(iterator, end)
    while item is not end:
        following: Any = next(iterator, end)
        yield item, following is end
        item = following
