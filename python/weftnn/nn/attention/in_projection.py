"""InProjection: the linear projections at the beginning of attention.

    q = query Wqᵀ + bq        k = key Wkᵀ + bk        v = value Wvᵀ + bv

Backward:  dquery = dq Wq,  dWq += dqᵀ query,  dbq += sum of dq;  key and value likewise.

q, k and v of one array are one product, and views of its result; so are dq, dk and dv in backward.
B batch, T time, E = embed_dim = N D, N heads of D features, Nk heads of keys and values (Nk divides N).
q[B,N,T,D]  k, v[B,Nk,T,D]  Wq[N D,E]  Wk[Nk D,kdim]  Wv[Nk D,vdim]  bq[N D]  bk, bv[Nk D]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count
from weftnn.nn import init
from weftnn.nn.attention.heads import split_heads
from weftnn.nn.inputs import check_array
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array, Parameter

WriteGradients: TypeAlias = Callable[[list[Array]], None]
Product: TypeAlias = tuple[int, list[int]]  # of which array; for which of q, k and v (0, 1, 2)


class InProjection(Layer):
    """Base of MultiheadAttention: the weights before attention, by PyTorch's names, and their products.

    in_proj_weight[(N+2Nk)D, E] is Wq, Wk and Wv; where kdim or vdim is not E it is None, and there are
    q_proj_weight, k_proj_weight and v_proj_weight. in_proj_bias[(N+2Nk)D] is bq, bk and bv, or None.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        num_kv_heads: int | None,
        kdim: int | None,
        vdim: int | None,
        *,
        bias: bool,
        dtype: npt.DTypeLike,
        rng: np.random.Generator,
    ) -> None:
        def count(name: str, value: int | None, usual: int = 1) -> int:
            return check_count(type(self).__name__, name, usual if value is None else value)

        self.embed_dim = embed_dim = count("embed_dim", embed_dim)
        self.num_heads = num_heads = count("num_heads", num_heads)
        self.num_kv_heads = count("num_kv_heads", num_kv_heads, num_heads)
        self.kdim, self.vdim = count("kdim", kdim, embed_dim), count("vdim", vdim, embed_dim)
        self._require_divisor("num_heads", "embed_dim")
        self._require_divisor("num_kv_heads", "num_heads")

        def weight(rows: int, columns: int) -> Parameter:
            return Parameter(init.xavier_uniform((rows, columns), dtype=dtype, rng=rng))

        keys = embed_dim // num_heads * self.num_kv_heads
        self._ends = (0, embed_dim, embed_dim + keys, embed_dim + 2 * keys)  # of q, k, v under each other
        self._one_weight = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = weight(self._ends[-1], embed_dim) if self._one_weight else None
        self.q_proj_weight = None if self._one_weight else weight(embed_dim, embed_dim)
        self.k_proj_weight = None if self._one_weight else weight(keys, self.kdim)
        self.v_proj_weight = None if self._one_weight else weight(keys, self.vdim)
        self.in_proj_bias = Parameter(np.zeros(self._ends[-1], dtype)) if bias else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the weights, and so of what they are multiplied with."""
        weight = self.in_proj_weight or self.q_proj_weight
        assert weight is not None
        return weight.dtype

    def project(self, given: list[Array]) -> tuple[list[Array], Callable[[WriteGradients], list[Array]]]:
        """([q, k, v], back) from [x], from [query, memory] or from [query, key, value].

        back(write) calls write([dq, dk, dv]) with arrays to write these gradients into, and gives a gradient
        for each array of `given`.
        """
        products = self._products(len(given))
        ys, backs = zip(*[self._product(given[i], parts) for i, parts in products], strict=True)
        shapes = [(y.shape, y.dtype) for y in ys]

        def back(write: WriteGradients) -> list[Array]:
            dys = [np.empty(shape, dtype) for shape, dtype in shapes]
            write(self._heads(products, dys))
            dgiven: list[Any] = [None] * len(given)
            for (i, _), dy, back_product in zip(products, dys, backs, strict=True):
                dx = back_product(dy)
                dgiven[i] = dx if dgiven[i] is None else dgiven[i] + dx
            return dgiven

        return self._heads(products, ys), back

    def project_query(self, query: Array) -> Array:
        """q[B,N,T,D] alone."""
        return split_heads(self._product(query, [0])[0], self.num_heads)

    def check_given(self, given: list[Array]) -> None:
        """Refuse arrays of other axes or sizes, by the names of those that they stand for."""
        query, key, value = given[0], given[min(1, len(given) - 1)], given[-1]
        of_query = "x" if len(given) == 1 else "query"
        self.check_query(query, of_query)
        check_array(self, "key", key, ("B", "S", "kdim"), self.kdim, self.dtype)
        check_array(self, "value", value, ("B", "S", "vdim"), self.vdim, self.dtype)
        if not (len(query) == len(key) == len(value) and key.shape[1] == value.shape[1]):
            raise ValueError(
                f"{type(self).__name__}: query, key and value must agree in B, key and value in S, "
                f"got {query.shape}, {key.shape} and {value.shape}"
            )

    def check_query(self, query: Array, name: str = "query") -> None:
        """Refuse a query of other axes or another size."""
        check_array(self, name, query, ("B", "T", "E"), self.embed_dim, self.dtype)

    def _products(self, count: int) -> list[Product]:
        """The products that give q, k and v from so many arrays, as few as the weights allow."""
        arguments = (0, min(1, count - 1), count - 1)  # of q, k and v
        if not self._one_weight:
            return [(argument, [part]) for part, argument in enumerate(arguments)]
        return [(argument, list(parts)) for argument, parts in groupby(range(3), arguments.__getitem__)]

    def _product(self, x: Array, parts: list[int]) -> tuple[Array, Callable[[Array], Array | None]]:
        """x[B,T,...] times the weights of `parts`, one array, and back."""
        rows = slice(self._ends[parts[0]], self._ends[parts[-1] + 1])
        weight, weight_rows, bias = self.in_proj_weight, rows, self.in_proj_bias
        if weight is None:
            weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[parts[0]]
            weight_rows = slice(None)
        assert weight is not None
        y, saved = ops.linear_forward(x, weight.data[weight_rows], None if bias is None else bias.data[rows])

        def back(dy: Array) -> Array | None:
            dweight, dbias = weight.gradient()[weight_rows], None if bias is None else bias.gradient()[rows]
            return ops.linear_backward(saved, dy, accumulate=ops.LinearGrads(None, dweight, dbias)).dx

        return y, back

    def _heads(self, products: list[Product], ys: Iterable[Array]) -> list[Array]:
        """q, k and v in the results of products: views."""
        heads = []
        for (_, parts), y in zip(products, ys, strict=True):
            start = self._ends[parts[0]]
            for part in parts:
                features = y[..., self._ends[part] - start : self._ends[part + 1] - start]
                heads.append(split_heads(features, self.num_kv_heads if part else self.num_heads))
        return heads

    def _require_divisor(self, name: str, of: str) -> None:
        value, size = getattr(self, name), getattr(self, of)
        if size % value:
            raise ValueError(f"{type(self).__name__}: {name} must divide {of} = {size}, got {value}")
