"""The updates of the optimizers, fused and in place, with PyTorch's formulas; what clipping by norm needs.

All arrays of a call have one shape and dtype (float32 or float64). Those that are updated are C-contiguous
and may not overlap any other.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from weftnn import _core
from weftnn.ops.arrays import Array, as_contiguous
from weftnn.ops.scalars import require_integers, require_numbers


def _contiguous(grad: Any) -> Any:
    return as_contiguous(grad) if isinstance(grad, np.ndarray) else grad


def sgd_update(
    param: Array,
    grad: Array,
    velocity: Array | None = None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    maximize: bool = False,
) -> None:
    """One step of gradient descent with momentum. Equations: help(weftnn.optim.SGD).

    Without velocity, w = w - lr g. `maximize` takes -grad for grad. PyTorch's first step, v = g, is
    dampening=0 on a velocity of zeros.
    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.

    Args:
        param: in and out. grad: in, any strides. velocity: in and out; None without momentum.

    Raises:
        ValueError: a shape or a number does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> w, v = np.array([1.0]), np.array([0.5])
        >>> ops.sgd_update(w, np.array([2.0]), v, lr=0.1, momentum=0.5)
        >>> w, v
        (array([0.775]), array([2.25]))
    """
    try:
        _core.sgd_update(
            param, _contiguous(grad), velocity, lr, momentum, dampening, nesterov, weight_decay, maximize
        )
    except TypeError:
        require_numbers(
            "sgd_update", lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay
        )
        raise


def adam_update(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    step: int,
    max_v: Array | None = None,
) -> None:
    """One step of Adam, or with `decoupled` of AdamW. Equations: help(weftnn.optim.Adam).

    With max_v (amsgrad), v_hat is made of the largest v so far.
    Sources: Kingma and Ba, "Adam", 2015; Loshchilov and Hutter, "Decoupled weight decay regularization",
    2019; Reddi et al., "On the convergence of Adam and beyond", 2018.

    Args:
        param: in and out. grad: in, any strides. m, v, max_v: in and out, zeros at first.
        step: 1 at the first update.

    Raises:
        ValueError: a shape or a number does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> w, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
        >>> ops.adam_update(w, np.array([2.0]), m, v, lr=0.1, step=1)
        >>> w.round(6)
        array([0.9])
    """
    try:
        _core.adam_update(
            param, _contiguous(grad), m, v, max_v, lr, beta1, beta2, eps, weight_decay, decoupled, step
        )
    except TypeError:
        require_numbers("adam_update", lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay)
        require_integers("adam_update", step=step)
        raise


def rmsprop_update(
    param: Array,
    grad: Array,
    square_avg: Array,
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum_buffer: Array | None = None,
    momentum: float = 0.0,
    grad_avg: Array | None = None,
) -> None:
    """One step of RMSprop. Equations: help(weftnn.optim.RMSprop). It is centered where there is a grad_avg.

    Sources: Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered:
    Graves, "Generating sequences with recurrent neural networks", 2013.

    Args:
        param: in and out. grad: in, any strides.
        square_avg (s), momentum_buffer (b), grad_avg (a): in and out.

    Raises:
        ValueError: a shape or a number does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> w, s = np.array([1.0]), np.zeros(1)
        >>> ops.rmsprop_update(w, np.array([2.0]), s, lr=0.1, alpha=0.75)
        >>> w.round(6), s
        (array([0.8]), array([1.]))
    """
    try:
        _core.rmsprop_update(
            param,
            _contiguous(grad),
            square_avg,
            momentum_buffer,
            grad_avg,
            lr,
            alpha,
            eps,
            weight_decay,
            momentum,
        )
    except TypeError:
        require_numbers(
            "rmsprop_update", lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum
        )
        raise


def adagrad_update(
    param: Array,
    grad: Array,
    state_sum: Array,
    *,
    lr: float,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
    lr_decay: float = 0.0,
    step: int = 1,
) -> None:
    """One step of Adagrad. Equations: help(weftnn.optim.Adagrad).

    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning", 2011.

    Args:
        param: in and out. grad: in, any strides. state_sum (s): in and out. step: 1 at the first update.

    Raises:
        ValueError: a shape or a number does not fit.
        TypeError: an argument is no array, or has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> w, s = np.array([1.0]), np.zeros(1)
        >>> ops.adagrad_update(w, np.array([2.0]), s, lr=0.1)
        >>> w, s
        (array([0.9]), array([4.]))
    """
    try:
        _core.adagrad_update(param, _contiguous(grad), state_sum, lr, eps, weight_decay, lr_decay, step)
    except TypeError:
        require_numbers("adagrad_update", lr=lr, eps=eps, weight_decay=weight_decay, lr_decay=lr_decay)
        require_integers("adagrad_update", step=step)
        raise


def grad_norm(arrays: Iterable[Array]) -> float:
    """The Euclidean norm of all elements of all arrays: sqrt(sum of x^2), in double precision.

    The sum is taken over fixed blocks in order, so its bits depend on the arrays alone. It is infinite only
    if the norm is: where squares overflow float64, the sum is taken again over scaled elements.

    Raises:
        TypeError: an element of `arrays` is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> ops.grad_norm([np.array([3.0]), np.array([[4.0]], np.float32)])
        5.0
    """
    if not isinstance(arrays, Iterable):
        raise TypeError(f"grad_norm: arrays must be a list of arrays, got {type(arrays).__name__}")
    if isinstance(arrays, np.ndarray):
        raise TypeError("grad_norm: arrays must be a list of arrays, got one array")
    arrays = list(arrays)
    total = _sum_of_squares(arrays)
    if _LEAST_SQUARES <= total < math.inf or not any(array.dtype == np.float64 for array in arrays):
        return math.sqrt(total)
    return _scaled_norm(arrays)


# A smaller sum may lack squares that were rounded to zero, or to few digits.
_LEAST_SQUARES = sys.float_info.min / sys.float_info.epsilon


def _sum_of_squares(arrays: list[Array]) -> float:
    return sum(
        _core.sum_of_squares("grad_norm", f"arrays[{i}]", _contiguous(a)) for i, a in enumerate(arrays)
    )


def _scaled_norm(arrays: list[Array]) -> float:
    """The norm, from elements times a power of two that takes the largest to between 1/2 and 1."""
    largest = float(np.max([np.abs(array).max(initial=0) for array in arrays]))
    if largest == 0.0 or not math.isfinite(largest):
        return largest
    exponent = math.frexp(largest)[1]
    total = _sum_of_squares([np.ldexp(array, -exponent) for array in arrays])
    with np.errstate(over="ignore"):
        return float(np.ldexp(math.sqrt(total), exponent))


def scale_(array: Array, factor: float) -> None:
    """array = factor array, in place; any strides.

    Raises:
        ValueError: the array is not writeable.
        TypeError: it is no float32 or float64 array.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> x = np.ones(2)
        >>> ops.scale_(x, 3.0)
        >>> x
        array([3., 3.])
    """
    try:
        if isinstance(array, np.ndarray) and not array.flags.c_contiguous:
            contiguous = array.copy()
            _core.scale("scale_", contiguous, factor)
            array[...] = contiguous
        else:
            _core.scale("scale_", array, factor)
    except (TypeError, ValueError):
        require_numbers("scale_", factor=factor)
        raise
