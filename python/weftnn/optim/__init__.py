"""Optimizers on the fused updates of `weftnn.ops`, learning-rate schedules, gradient clipping."""

from weftnn.optim.adagrad import Adagrad
from weftnn.optim.adam import Adam, AdamW
from weftnn.optim.clip import clip_grad_norm, clip_grad_value
from weftnn.optim.optimizer import Optimizer
from weftnn.optim.rmsprop import RMSprop
from weftnn.optim.schedule import ConstantLR, CosineLR, PlateauLR, Schedule, StepLR
from weftnn.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "ConstantLR",
    "CosineLR",
    "Optimizer",
    "PlateauLR",
    "RMSprop",
    "Schedule",
    "StepLR",
    "clip_grad_norm",
    "clip_grad_value",
]
