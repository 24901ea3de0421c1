"""Gradient clipping, by the norm of all gradients together and by value.

    by norm     g = g min(1, max_norm / (|g| + 1e-6))        |g| is the L2 norm over all parameters
    by value    g = min(max(g, -clip_value), clip_value)

Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013; PyTorch's form.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

import numpy as np

from weftnn import ops
from weftnn.arguments import check_number
from weftnn.optim.optimizer import Array, HasGradient


def clip_grad_norm(parameters: Iterable[HasGradient], max_norm: float) -> float:
    """Scales all gradients in place so that their common L2 norm is at most `max_norm`; gives the old norm.

    A norm that is not finite changes nothing: the caller sees it and decides (`Trainer` stops).
    Raises ValueError unless max_norm > 0.

    >>> import numpy as np
    >>> from weftnn import nn, optim
    >>> weight = nn.Parameter(np.zeros(2))
    >>> weight.grad = np.array([3.0, 4.0])
    >>> norm = optim.clip_grad_norm([weight], max_norm=1.0)
    >>> round(norm, 6), np.round(weight.grad, 3).tolist()
    (5.0, [0.6, 0.8])
    """
    max_norm = check_number("clip_grad_norm", "max_norm", max_norm, above=0)
    gradients = _gradients(parameters)
    norm = ops.grad_norm(gradients)
    factor = max_norm / (norm + 1e-6)
    if math.isfinite(norm) and factor < 1.0:
        # A quotient below the normal numbers has few digits or none; its two parts have theirs.
        for part in (factor,) if factor >= sys.float_info.min else (1.0 / norm, max_norm):
            for grad in gradients:
                ops.scale_(grad, part)
    return norm


def clip_grad_value(parameters: Iterable[HasGradient], clip_value: float) -> None:
    """Limits every element of every gradient to [-clip_value, clip_value], in place.

    Raises ValueError unless clip_value > 0.

    >>> import numpy as np
    >>> from weftnn import nn, optim
    >>> weight = nn.Parameter(np.zeros(2))
    >>> weight.grad = np.array([3.0, -0.5])
    >>> optim.clip_grad_value([weight], clip_value=1.0)
    >>> weight.grad.tolist()
    [1.0, -0.5]
    """
    clip_value = check_number("clip_grad_value", "clip_value", clip_value, above=0)
    for grad in _gradients(parameters):
        bound = grad.dtype.type(min(clip_value, float(np.finfo(grad.dtype).max)))
        np.clip(grad, -bound, bound, out=grad)


def _gradients(parameters: Iterable[HasGradient]) -> list[Array]:
    """The gradients there are, a tied parameter's once."""
    distinct = {id(parameter): parameter.grad for parameter in parameters}
    return [grad for grad in distinct.values() if grad is not None]
