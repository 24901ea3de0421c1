"""Stochastic gradient descent with momentum.

Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013; PyTorch's form.
"""

from __future__ import annotations

from collections.abc import Iterable

from weftnn import ops
from weftnn.arguments import check_number
from weftnn.optim.optimizer import Array, HasGradient, Optimizer


class SGD(Optimizer):
    """Gradient descent with momentum:

        g = grad + weight_decay w
        v = momentum v + (1 - dampening) g        a parameter's first step: v = g
        w = w - lr v                              nesterov: w = w - lr (g + momentum v)

    The arguments are those of `torch.optim.SGD`; `l1` and `l2` are the penalties of `Optimizer`.
    Raises ValueError for a number out of its range, TypeError for what is no parameter.

    >>> import numpy as np
    >>> from weftnn import nn, optim
    >>> model = nn.Linear(3, 2, rng=0)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    >>> y, backprop = model(np.ones((4, 3), np.float32))
    >>> dx = backprop(np.ones_like(y))
    >>> optimizer.step(); optimizer.zero_grad()
    """

    def __init__(
        self,
        parameters: Iterable[HasGradient],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        self.momentum = check_number("SGD", "momentum", momentum, low=0)
        self.dampening = check_number("SGD", "dampening", dampening)
        self.weight_decay = check_number("SGD", "weight_decay", weight_decay, low=0)
        self.nesterov = bool(nesterov)
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "SGD: nesterov needs momentum > 0 and dampening = 0, "
                f"got momentum={self.momentum}, dampening={self.dampening}"
            )
        self.slots = ("velocity",) if self.momentum else ()
        super().__init__(parameters, lr, l1=l1, l2=l2)

    def _update(self, data: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        ops.sgd_update(
            data,
            grad,
            state.get("velocity"),
            lr=self.lr,
            momentum=self.momentum,
            dampening=self.dampening if step > 1 else 0.0,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )
