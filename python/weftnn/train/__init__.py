"""Training: the Trainer, its History, truncated backpropagation through time, checkpoints."""

from weftnn.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from weftnn.train.diverged import DivergedError
from weftnn.train.folder_lock import FolderInUseError
from weftnn.train.history import History
from weftnn.train.meter import accuracy
from weftnn.train.trainer import Trainer

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
