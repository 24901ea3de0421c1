"""MemoryAttention: what all attention with one score for each pair of query and key has in common.

    weights_t = softmax over s of score(query_t, key_s)
    y_t       = sum over s of weights_ts value_s

Backward: ops.sdpa_backward gives the gradients of value and of what the scores are made of; `compare`, which
each kind of attention defines, takes the latter back to query and key.

B batch, T steps of the query, S of the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_number
from weftnn.nn.backprop import Backprop
from weftnn.nn.dense.linear import Linear
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array, check_mask, given_arrays
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Seed
from weftnn.nn.rows import lengths_of, without_padding

Arguments: TypeAlias = dict[str, Any]
Back: TypeAlias = Callable[[ops.SDPAGrads], tuple[Array, Array]]


class MemoryAttention(Layer):
    """Base of attention in which each step of a query reads a memory, by a score for each pair of steps.

        y, backprop = attention(x)                       dx = backprop(dy)          x reads itself
        y, backprop = attention(query, memory)           dquery, dmemory = backprop(dy)
        y, backprop = attention(query, key, value)       dquery, dkey, dvalue = backprop(dy)

    query[B, T, query_size], memory or key[B, S, key_size], value[B, S, any size], y[B, T, that size].
    A call's arguments:
        mask: broadcast to [B, T, S]; bool, True where a step may read, or floats, added to the scores.
        lengths[B]: valid steps of the query. y is zero past a row's end, and nothing there is read.
        kv_lengths[B]: valid steps of the memory; where x reads itself, `lengths`.
        need_weights: ((y, weights), backprop) = attention(...), with weights[B, T, S]; they have no gradient.
    A step with nothing to read gets zeros.
    """

    takes_lengths = True
    query_proj: Linear | None = None
    query_size: int | None = None  # None: as many as the other
    key_size: int | None = None

    def __init__(self, dropout: float, causal: bool, rng: Seed) -> None:
        self.dropout = check_number(type(self).__name__, "dropout", dropout, low=0, below=1)
        self.causal = causal
        if dropout:
            self.draw_from(rng)

    @property
    def reads(self) -> str:
        return "past" if self.causal else "all"

    def compare(self, query: Array, key: Array) -> tuple[Arguments, Back]:
        """The arguments of ops.sdpa_forward that make the scores, and from its gradients (dquery, dkey)."""
        raise NotImplementedError

    def __call__(
        self,
        query: Array,
        memory: Array | None = None,
        value: Array | None = None,
        *,
        mask: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        kv_lengths: npt.ArrayLike | None = None,
        need_weights: bool = False,
    ) -> tuple[Any, Backprop]:
        given, lengths, kv_lengths = self._given([query, memory, value], lengths, kv_lengths)
        scores, back = self.compare(given[0], given[min(1, len(given) - 1)])
        with self.undrawn_if_refused():
            drawn: dict[str, Any] = self.next_draw() if self.dropout else {}
            options = self._options(given[0].dtype, mask, kv_lengths, need_weights)
            options |= {"dropout": self.dropout, **drawn}
            read, saved, *weights = ops.sdpa_forward(v=given[-1][:, None], **scores, **options)
        y = without_padding(read[:, 0], lengths)

        def backprop(dy: Array) -> Any:
            grads = ops.sdpa_backward(saved, without_padding(dy, lengths)[:, None])
            (dquery, dkey), dvalue = back(grads), grads.dv[:, 0]
            if len(given) == 3:
                return dquery, dkey, dvalue
            dmemory = dkey + dvalue
            return dquery + dmemory if len(given) == 1 else (dquery, dmemory)

        return ((y, weights[0][:, 0]) if weights else y), Backprop(self, backprop, y)

    def predict(
        self,
        query: Array,
        memory: Array | None = None,
        value: Array | None = None,
        *,
        mask: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        kv_lengths: npt.ArrayLike | None = None,
        need_weights: bool = False,
    ) -> Any:
        given, lengths, kv_lengths = self._given([query, memory, value], lengths, kv_lengths)
        scores, _ = self.compare(given[0], given[min(1, len(given) - 1)])
        options = self._options(given[0].dtype, mask, kv_lengths, need_weights)
        read, _, *weights = ops.sdpa_forward(v=given[-1][:, None], training=False, **scores, **options)
        y = without_padding(read[:, 0], lengths)
        return (y, weights[0][:, 0]) if weights else y

    def graph(self, writer: GraphWriter) -> Node:
        raise writer.obstacle(self, "it is made to read a memory")

    def _given(
        self,
        arrays: list[Array | None],
        lengths: npt.ArrayLike | None,
        kv_lengths: npt.ArrayLike | None,
    ) -> tuple[list[Array], Array | None, Array | None]:
        """The arrays that were given, checked, with zeros for padding (no product may read a NaN there), and
        the valid steps of the query and of the memory."""
        given = given_arrays(self, ("query", "memory", "value"), arrays)
        query, key, value = given[0], given[min(1, len(given) - 1)], given[-1]
        dtype = None if self.query_proj is None else self.query_proj.weight.dtype  # None: either, but one
        of_query = "x" if len(given) == 1 else "query"
        check_array(self, of_query, query, ("B", "T", "query_size"), self.query_size, dtype)
        key_size = self.key_size or query.shape[-1]
        check_array(self, "memory", key, ("B", "S", "key_size"), key_size, query.dtype)
        check_array(self, "value", value, ("B", "S", "value_size"), None, query.dtype)
        if not (len(query) == len(key) == len(value) and key.shape[1] == value.shape[1]):
            raise ValueError(
                f"{type(self).__name__}: query, memory and value must agree in B, memory and value in S, "
                f"got {query.shape}, {key.shape} and {value.shape}"
            )
        lengths = lengths_of(self, query, lengths, of="query")
        kv_lengths = lengths_of(self, key, kv_lengths, "kv_lengths", of="memory")
        given = [without_padding(array, kv_lengths if i else lengths) for i, array in enumerate(given)]
        return given, lengths, lengths if kv_lengths is None and len(given) == 1 else kv_lengths

    def _options(
        self, dtype: Any, mask: Array | None, kv_lengths: Array | None, need_weights: bool
    ) -> dict[str, Any]:
        """What a call asks of ops.sdpa_forward, whether it trains or not. There is one head."""
        check_mask(self, "mask", mask, dtype)
        return {
            "mask": mask if mask is None or mask.ndim < 3 else mask[:, None],
            "causal": self.causal,
            "kv_lengths": kv_lengths,
            "return_weights": need_weights,
        }
