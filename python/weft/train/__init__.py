"""Training: the Trainer, its History, truncated backpropagation through time, checkpoints."""

from weft.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from weft.train.diverged import DivergedError
from weft.train.folder_lock import FolderInUseError
from weft.train.history import History
from weft.train.meter import accuracy
from weft.train.trainer import Trainer

__all__ = [
    "Checkpoint",
    "DivergedError",
    "FolderInUseError",
    "History",
    "Trainer",
    "accuracy",
    "read_checkpoint",
    "write_checkpoint",
]
