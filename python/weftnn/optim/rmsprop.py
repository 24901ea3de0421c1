"""RMSprop: the gradient divided by the root of a running mean of its squares.

Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered: Graves,
"Generating sequences with recurrent neural networks", 2013. PyTorch's form.
"""

from __future__ import annotations

from collections.abc import Iterable

from weftnn import ops
from weftnn.arguments import check_number
from weftnn.optim.optimizer import Array, HasGradient, Optimizer


class RMSprop(Optimizer):
    """RMSprop:

        g = grad + weight_decay w
        s = alpha s + (1 - alpha) g^2
        u = g / (sqrt(s) + eps)
        w = w - lr u

        centered        a = alpha a + (1 - alpha) g        u = g / (sqrt(s - a^2) + eps)
        with momentum   b = momentum b + u                 w = w - lr b

    The arguments are those of `torch.optim.RMSprop`; `l1` and `l2` are the penalties of `Optimizer`.
    Raises ValueError for a number out of its range, TypeError for what is no parameter.

    >>> import numpy as np
    >>> from weftnn import nn, optim
    >>> model = nn.Linear(3, 2, rng=0)
    >>> optimizer = optim.RMSprop(model.parameters(), lr=1e-3, momentum=0.9, centered=True)
    >>> y, backprop = model(np.ones((4, 3), np.float32))
    >>> dx = backprop(np.ones_like(y))
    >>> optimizer.step(); optimizer.zero_grad()
    """

    def __init__(
        self,
        parameters: Iterable[HasGradient],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        self.alpha = check_number("RMSprop", "alpha", alpha, low=0)
        self.eps = check_number("RMSprop", "eps", eps, low=0)
        self.weight_decay = check_number("RMSprop", "weight_decay", weight_decay, low=0)
        self.momentum = check_number("RMSprop", "momentum", momentum, low=0)
        used = {"square_avg": True, "momentum_buffer": self.momentum > 0, "grad_avg": bool(centered)}
        self.slots = tuple(slot for slot, needed in used.items() if needed)
        super().__init__(parameters, lr, l1=l1, l2=l2)

    def _update(self, data: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        ops.rmsprop_update(
            data,
            grad,
            state["square_avg"],
            lr=self.lr,
            alpha=self.alpha,
            eps=self.eps,
            weight_decay=self.weight_decay,
            momentum_buffer=state.get("momentum_buffer"),
            momentum=self.momentum,
            grad_avg=state.get("grad_avg"),
        )
