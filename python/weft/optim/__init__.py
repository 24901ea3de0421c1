"""Optimizers on the fused updates of `weft.ops`, learning-rate schedules, gradient clipping."""

from weft.optim.adagrad import Adagrad
from weft.optim.adam import Adam, AdamW
from weft.optim.clip import clip_grad_norm, clip_grad_value
from weft.optim.optimizer import Optimizer
from weft.optim.rmsprop import RMSprop
from weft.optim.schedule import ConstantLR, CosineLR, PlateauLR, Schedule, StepLR
from weft.optim.sgd import SGD

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
