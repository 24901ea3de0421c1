"""Adagrad: the gradient divided by the root of the sum of all its squares so far.

Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011; PyTorch's form.
"""

from __future__ import annotations

from collections.abc import Iterable

from weftnn import ops
from weftnn.arguments import check_number
from weftnn.optim.optimizer import Array, HasGradient, Optimizer


class Adagrad(Optimizer):
    """Adagrad, at step t = 1, 2, ...:

        g = grad + weight_decay w
        s = s + g^2
        w = w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)

    The arguments are those of `torch.optim.Adagrad`; `l1` and `l2` are the penalties of `Optimizer`.
    Raises ValueError for a number out of its range, TypeError for what is no parameter.

    >>> import numpy as np
    >>> from weftnn import nn, optim
    >>> model = nn.Linear(3, 2, rng=0)
    >>> optimizer = optim.Adagrad(model.parameters(), lr=0.1)
    >>> y, backprop = model(np.ones((4, 3), np.float32))
    >>> dx = backprop(np.ones_like(y))
    >>> optimizer.step(); optimizer.zero_grad()
    """

    slots = ("state_sum",)

    def __init__(
        self,
        parameters: Iterable[HasGradient],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        self.lr_decay = check_number("Adagrad", "lr_decay", lr_decay, low=0)
        self.weight_decay = check_number("Adagrad", "weight_decay", weight_decay, low=0)
        self.eps = check_number("Adagrad", "eps", eps, low=0)
        start = check_number("Adagrad", "initial_accumulator_value", initial_accumulator_value, low=0)
        super().__init__(parameters, lr, l1=l1, l2=l2)
        for state in self.state:
            state["state_sum"].fill(start)

    def _update(self, data: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        ops.adagrad_update(
            data,
            grad,
            state["state_sum"],
            lr=self.lr,
            eps=self.eps,
            weight_decay=self.weight_decay,
            lr_decay=self.lr_decay,
            step=step,
        )
