"""weft: recurrent networks and attention on CPUs, forward and backward in fused C++ kernels.

weftnn.ops     pure functions on NumPy arrays: the kernels
weftnn.nn      layers and losses
weftnn.optim   optimizers, schedules, clipping
weftnn.data    batches from text, arrays and ragged sequences
weftnn.train   Trainer, the training loop
weftnn.Model   a trained model as C and C++ run it; weftnn.Stream: step by step
"""

from weftnn import data, nn, ops, optim, train
from weftnn.config import (
    __version__,
    get_num_threads,
    get_precision,
    release_memory,
    set_num_threads,
    set_precision,
    show_config,
)
from weftnn.stream import Model, Stream, UnusedTensorsWarning
from weftnn.train import Trainer

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
