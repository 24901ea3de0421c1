"""Embedding: rows of a table, by index, forward and backward.

    y[...] = W[indices[...]]
    dW[v]  = sum of dy over the elements whose index is v

V vocabulary, D size of a row.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from weftnn import _core
from weftnn.arguments import check_count
from weftnn.ops.arrays import (
    Array,
    as_indices,
    as_rows,
    gradient_to_add_to,
    require_array,
    require_gradients,
    require_saved,
    require_shape,
)


class EmbeddingGrads(NamedTuple):
    """The gradient of the table."""

    dweight: Array | None


class EmbeddingSaved(NamedTuple):
    """What `embedding_backward` needs."""

    indices: NDArray[np.int64]
    weight_shape: tuple[int, int]
    dtype: np.dtype[Any]
    padding_idx: int | None


def embedding_forward(
    indices: Array, weight: Array, *, padding_idx: int | None = None
) -> tuple[Array, EmbeddingSaved]:
    """Rows of a table: y[...] = W[indices[...]], as (y[..., D], saved).

    Args:
        indices: [...], integers of any dtype, each in [0, V).
        weight: [V, D], float32 or float64. Rows of any stride.
        padding_idx: a row whose gradient stays zero; it is looked up like any other. Negative ones count from
            the end.

    Raises:
        ValueError: an index or padding_idx is out of range; the message names the first bad one.
        TypeError: indices are not integers, or weight has another dtype.

    Example:
        >>> import numpy as np
        >>> from weftnn import ops
        >>> weight = np.arange(6.0).reshape(3, 2)
        >>> y, saved = ops.embedding_forward(np.array([2, 0, 2]), weight)
        >>> y[0]
        array([4., 5.])
        >>> ops.embedding_backward(saved, np.ones((3, 2))).dweight[:, 0]
        array([1., 0., 2.])
    """
    operation = "embedding_forward"
    require_array(operation, "weight", weight, "(V, D)")
    rows = as_indices(operation, "indices", indices)
    vocabulary, size = weight.shape
    if padding_idx is not None:
        padding_idx = check_count(operation, "padding_idx", padding_idx, low=-(2**63))
        if not -vocabulary <= padding_idx < vocabulary:
            raise ValueError(
                f"{operation}: padding_idx must be in [-V, V) = [{-vocabulary}, {vocabulary}), "
                f"got {padding_idx}"
            )
        padding_idx %= vocabulary
    y: Array = _core.embedding_forward(rows, weight)
    return y.reshape(*rows.shape, size), EmbeddingSaved(rows, (vocabulary, size), weight.dtype, padding_idx)


def embedding_backward(
    saved: EmbeddingSaved, dy: Array, *, accumulate: EmbeddingGrads | None = None
) -> EmbeddingGrads:
    """The gradient of `embedding_forward`, given dL/dy.

    With y[...] = W[indices[...]]:  dW[indices[...]] += dy[...], in order, except for padding_idx.

    Args:
        saved: what forward returned; it may be used again, and the forward's indices must be unchanged.
        dy: [..., D].
        accumulate: a gradient whose dweight is added to in place, instead of a new one.

    Raises:
        ValueError: a shape does not fit.
        TypeError: an argument is no array, or has another dtype.
    """
    operation = "embedding_backward"
    require_saved(operation, "embedding_forward", saved, EmbeddingSaved)
    indices, shape, dtype, padding_idx = saved
    require_shape(operation, "dy", dy, "(..., D)", (*indices.shape, shape[1]))
    require_gradients(operation, "accumulate", accumulate, EmbeddingGrads)
    given = None if accumulate is None else accumulate.dweight
    dweight = gradient_to_add_to(operation, "dweight", given, "(V, D)", shape, dtype)
    _core.embedding_backward(indices, as_rows(dy), dweight, -1 if padding_idx is None else padding_idx)
    return EmbeddingGrads(dweight)
