"""weft: recurrent networks and attention on CPUs, forward and backward in fused C++ kernels.

weft.ops     pure functions on NumPy arrays: the kernels
weft.nn      layers and losses
weft.optim   optimizers, schedules, clipping
weft.data    batches from text, arrays and ragged sequences
weft.train   Trainer, the training loop
weft.Model   a trained model as C and C++ run it; weft.Stream: step by step
"""

from weft import data, nn, ops, optim, train
from weft.config import (
    __version__,
    get_num_threads,
    get_precision,
    release_memory,
    set_num_threads,
    set_precision,
    show_config,
)
from weft.stream import Model, Stream, UnusedTensorsWarning
from weft.train import Trainer

__all__ = [
    "Model",
    "Stream",
    "Trainer",
    "UnusedTensorsWarning",
    "__version__",
    "data",
    "get_num_threads",
    "get_precision",
    "nn",
    "ops",
    "optim",
    "release_memory",
    "set_num_threads",
    "set_precision",
    "show_config",
    "train",
]
