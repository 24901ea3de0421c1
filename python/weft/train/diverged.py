"""DivergedError: how training ends when its numbers are no longer finite."""

from __future__ import annotations

from pathlib import Path

from weft.train.history import History


class DivergedError(FloatingPointError):
    """Training stopped because the loss, the gradient or the weights became NaN or infinite.

    what: what became so, in words. step: the update at which it was noticed. history: up to then.
        checkpoint: the folder of the last good one.
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
    ) -> None:
        self.what = what
        self.step = step
        self.checkpoint = checkpoint
        self.history = history
        kept = "No checkpoint was kept: give fit a checkpoint_dir."
        if checkpoint is not None:
            kept = f"The last good checkpoint is kept in {checkpoint}; resume it with a lower lr."
        clip = "clip_norm=1.0" if clip_norm is None else f"a smaller clip_norm (now {clip_norm:g})"
        super().__init__(
            f"Trainer.fit: {what} at step {step} (epoch {epoch}). {kept} "
            f"Try a lower learning rate (now {lr:g}), {clip}, and look for NaN or huge values in the data."
        )
