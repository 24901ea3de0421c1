"""DivergedError: raised when the loss, the gradient or the weights are no longer finite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from weftnn import ops
from weftnn.data.batch import Array
from weftnn.train.history import History


class DivergedError(FloatingPointError):
    """Training stopped because the loss, the gradient or the weights became NaN or infinite.

    what: which of them. step, epoch, lr: of the update at which it was noticed. parameter: name of the first
        whose gradient, or whose weights, are not finite; None where it was a loss.
    history: up to then. checkpoint: the folder of the last good one. clip_norm: the Trainer's.
    """

    def __init__(
        self,
        what: str,
        *,
        step: int,
        epoch: int,
        lr: float,
        clip_norm: float | None,
        checkpoint: Path | None,
        history: History,
        parameter: str | None = None,
    ) -> None:
        self.what = what
        self.step = step
        self.epoch = epoch
        self.lr = lr
        self.clip_norm = clip_norm
        self.parameter = parameter
        self.checkpoint = checkpoint
        self.history = history
        kept = "No checkpoint was kept: give fit a checkpoint_dir."
        if checkpoint is not None:
            kept = f"The last good checkpoint is kept in {checkpoint}; resume it with a lower lr."
        clip = "clip_norm=1.0" if clip_norm is None else f"a smaller clip_norm (now {clip_norm:g})"
        place = "" if parameter is None else f", first in {parameter}"
        super().__init__(
            f"Trainer.fit: {what} at step {step} (epoch {epoch}){place}. {kept} "
            f"Try a lower learning rate (now {lr:g}), {clip}, and look for NaN or huge values in the data."
        )


def first_not_finite(arrays: Iterable[tuple[str, Array | None]]) -> str | None:
    """The name of the first array that holds NaN or infinity.

    >>> import numpy as np
    >>> first_not_finite([("weight", np.ones(2)), ("bias", np.array([np.nan]))])
    'bias'
    """
    for name, array in arrays:
        if array is not None and not math.isfinite(ops.grad_norm([array])):
            return name
    return None
