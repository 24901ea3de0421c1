"""Adam and AdamW.

Kingma and Ba, "Adam", 2015; Loshchilov and Hutter,
"Decoupled weight decay regularization", 2019; Reddi et al., "On the convergence of Adam and beyond", 2018.
"""

from __future__ import annotations

from collections.abc import Iterable

from weftnn import ops
from weftnn.arguments import check_number
from weftnn.optim.optimizer import Array, HasGradient, Optimizer


class Adam(Optimizer):
    """Adam, with the weight decay in the gradient, at step t = 1, 2, ...:

        g = grad + weight_decay w
        m = beta1 m + (1 - beta1) g          m_hat = m / (1 - beta1^t)
        v = beta2 v + (1 - beta2) g^2        v_hat = v / (1 - beta2^t)
        w = w - lr m_hat / (sqrt(v_hat) + eps)

    With amsgrad, v_hat is made of the largest v so far.

    The arguments are those of `torch.optim.Adam`; `l1` and `l2` are the penalties of `Optimizer`.
    Raises ValueError for a number out of its range, TypeError for what is no parameter.

    >>> import numpy as np
    >>> from weftnn import nn, optim
    >>> model = nn.Linear(3, 2, rng=0)
    >>> optimizer = optim.Adam(model.parameters(), lr=1e-2)
    >>> y, backprop = model(np.ones((4, 3), np.float32))
    >>> dx = backprop(np.ones_like(y))
    >>> optimizer.step(); optimizer.zero_grad()
    """

    decoupled = False

    def __init__(
        self,
        parameters: Iterable[HasGradient],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        name = type(self).__name__
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"{name}: betas must be two numbers (beta1, beta2), got {betas!r}")
        self.beta1 = check_number(name, "beta1", betas[0], low=0, below=1)
        self.beta2 = check_number(name, "beta2", betas[1], low=0, below=1)
        self.eps = check_number(name, "eps", eps, low=0)
        self.weight_decay = check_number(name, "weight_decay", weight_decay, low=0)
        self.slots = ("m", "v", "max_v") if amsgrad else ("m", "v")
        super().__init__(parameters, lr, l1=l1, l2=l2)

    def _update(self, data: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        ops.adam_update(
            data,
            grad,
            state["m"],
            state["v"],
            lr=self.lr,
            beta1=self.beta1,
            beta2=self.beta2,
            eps=self.eps,
            weight_decay=self.weight_decay,
            decoupled=self.decoupled,
            step=step,
            max_v=state.get("max_v"),
        )


class AdamW(Adam):
    """Adam with decoupled weight decay, with m_hat and v_hat of g = grad as in `Adam`:

        w = (1 - lr weight_decay) w - lr m_hat / (sqrt(v_hat) + eps)

    The arguments are those of `torch.optim.AdamW`; `l1` and `l2` are the penalties of `Optimizer`,
    which unlike the weight decay are part of g.

    >>> import numpy as np
    >>> from weftnn import nn, optim
    >>> optim.AdamW(nn.Linear(3, 2, rng=0).parameters(), lr=3e-3, weight_decay=0.1).weight_decay
    0.1
    """

    decoupled = True

    def __init__(
        self,
        parameters: Iterable[HasGradient],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay, amsgrad, l1=l1, l2=l2)
