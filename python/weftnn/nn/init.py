"""Initializers: first values for a weight of a given shape, drawn in float64 and then rounded to dtype.

    layer.weight.data[...] = init.orthogonal(layer.weight.shape, rng=0)
    for gate in np.split(lstm.weight_hh_l0.data, 4):        # views, one a gate
        gate[...] = init.orthogonal(gate.shape, rng=rng)

A weight[O, I] has fan-in I and fan-out O; further axes multiply both, as in a convolution.
`rng` is a seed, a NumPy generator, or None for a seed from the system.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from weftnn.arguments import check_choice, check_count, check_number
from weftnn.nn.parameter import Array, Seed

Shape = tuple[int, ...]


def zeros(shape: Shape, *, dtype: npt.DTypeLike = np.float32) -> Array:
    """All 0.

    >>> zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(_sizes("zeros", shape), dtype)


def constant(shape: Shape, value: float, *, dtype: npt.DTypeLike = np.float32) -> Array:
    """All the same value.

    >>> constant((2,), 0.5)
    array([0.5, 0.5], dtype=float32)
    """
    return np.full(_sizes("constant", shape), value, dtype)


def uniform(shape: Shape, bound: float, *, dtype: npt.DTypeLike = np.float32, rng: Seed = None) -> Array:
    """U(-bound, bound). PyTorch's default is this with 1/sqrt(fan-in), for recurrent layers 1/sqrt(H).

    >>> bool(abs(uniform((9, 9), 0.1, rng=0)).max() <= 0.1)
    True
    """
    bound = check_number("uniform", "bound", bound)
    return np.random.default_rng(rng).uniform(-bound, bound, _sizes("uniform", shape)).astype(dtype)


def normal(shape: Shape, std: float, *, dtype: npt.DTypeLike = np.float32, rng: Seed = None) -> Array:
    """N(0, std^2).

    >>> normal((2, 3), 0.02, rng=0).shape
    (2, 3)
    """
    std = check_number("normal", "std", std)
    return (std * np.random.default_rng(rng).standard_normal(_sizes("normal", shape))).astype(dtype)


def xavier_uniform(
    shape: Shape, *, gain: float = 1.0, dtype: npt.DTypeLike = np.float32, rng: Seed = None
) -> Array:
    """U(-a, a) with a = gain sqrt(6 / (fan-in + fan-out)): keeps the variance through tanh layers.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    >>> bool(abs(xavier_uniform((2, 4), rng=0)).max() <= 1)
    True
    """
    fan_in, fan_out = _fans("xavier_uniform", shape)
    return uniform(shape, gain * math.sqrt(6 / (fan_in + fan_out)), dtype=dtype, rng=rng)


def xavier_normal(
    shape: Shape, *, gain: float = 1.0, dtype: npt.DTypeLike = np.float32, rng: Seed = None
) -> Array:
    """N(0, s^2) with s = gain sqrt(2 / (fan-in + fan-out)); the source is xavier_uniform's.

    >>> xavier_normal((2, 4), rng=0).shape
    (2, 4)
    """
    fan_in, fan_out = _fans("xavier_normal", shape)
    return normal(shape, gain * math.sqrt(2 / (fan_in + fan_out)), dtype=dtype, rng=rng)


def kaiming_uniform(
    shape: Shape,
    *,
    gain: float = math.sqrt(2),
    mode: str = "fan_in",
    dtype: npt.DTypeLike = np.float32,
    rng: Seed = None,
) -> Array:
    """He's: U(-a, a) with a = gain sqrt(3 / fan); the gain sqrt(2) keeps the variance through relu layers.

    mode "fan_in" keeps it forward, "fan_out" backward. A leaky relu of slope s has gain sqrt(2 / (1 + s^2)).
    He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", 2015.

    >>> bool(abs(kaiming_uniform((2, 6), rng=0)).max() <= 1)
    True
    """
    return uniform(shape, gain * math.sqrt(3 / _fan("kaiming_uniform", shape, mode)), dtype=dtype, rng=rng)


def kaiming_normal(
    shape: Shape,
    *,
    gain: float = math.sqrt(2),
    mode: str = "fan_in",
    dtype: npt.DTypeLike = np.float32,
    rng: Seed = None,
) -> Array:
    """He's: N(0, s^2) with s = gain / sqrt(fan); mode and source are kaiming_uniform's.

    >>> kaiming_normal((2, 6), rng=0).shape
    (2, 6)
    """
    return normal(shape, gain / math.sqrt(_fan("kaiming_normal", shape, mode)), dtype=dtype, rng=rng)


def orthogonal(
    shape: Shape, *, gain: float = 1.0, dtype: npt.DTypeLike = np.float32, rng: Seed = None
) -> Array:
    """gain times a random matrix with orthonormal columns, or rows if it is wider than high.

    Keeps lengths, so recurrent products neither explode nor vanish at first. Where one matrix holds several
    gates, fill each by itself, as at the head of this file. Saxe, McClelland and Ganguli, "Exact solutions to
    the nonlinear dynamics of learning in deep linear neural networks", 2014.

    >>> w = orthogonal((5, 3), dtype=np.float64, rng=0)
    >>> bool(np.allclose(w.T @ w, np.eye(3)))
    True
    """
    rows, columns = _matrix("orthogonal", shape)
    tall = normal((max(rows, columns), min(rows, columns)), 1.0, dtype=np.float64, rng=rng)
    q, r = np.linalg.qr(tall)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # else the signs that qr prefers would favour some rotations
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)


def _sizes(where: str, shape: Shape) -> Shape:
    """As Python's integers, of which products do not overflow."""
    sizes = shape if isinstance(shape, tuple | list) else (shape,)
    return tuple([check_count(where, "shape", size, low=0) for size in sizes])


def _matrix(where: str, shape: Shape) -> tuple[int, int]:
    shape = _sizes(where, shape)
    if len(shape) < 2 or 0 in shape:
        raise ValueError(f"{where}: shape must have two or more axes, none of them empty, got {tuple(shape)}")
    return shape[0], math.prod(shape[1:])


def _fans(where: str, shape: Shape) -> tuple[int, int]:
    fan_out, fan_in = _matrix(where, shape)
    return fan_in, fan_out * math.prod(_sizes(where, shape)[2:])


def _fan(where: str, shape: Shape, mode: str) -> int:
    check_choice(where, "mode", mode, ("fan_in", "fan_out"))
    return _fans(where, shape)[mode == "fan_out"]
