"""MultiheadAttention: scaled dot-product attention in N heads, between linear projections.

    q = query Wqᵀ + bq        k = key Wkᵀ + bk        v = value Wvᵀ + bv        in heads of D features
    head_n = softmax(q_n k_nᵀ / sqrt(D)) v_n
    y      = [head_1; ...; head_N] Woᵀ + bo

Backward: dhead = dy Wo, then dq, dk, dv of each head (ops.sdpa_backward), then dquery = dq Wq and so on.

B batch, T time of the query, S of key and value, E = embed_dim = N D, Nk heads of keys and values.
Vaswani et al., "Attention is all you need", 2017; fewer heads of keys: Ainslie et al., "GQA", 2023
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from weftnn import ops
from weftnn.arguments import check_count, check_number
from weftnn.nn.attention.heads import join_heads, split_heads
from weftnn.nn.attention.in_projection import InProjection
from weftnn.nn.attention.key_value_cache import KeyValueCache, unchanged_if_refused
from weftnn.nn.attention.sum_to import sum_to
from weftnn.nn.backprop import Backprop
from weftnn.nn.dense.linear import Linear
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.inputs import check_array, check_mask, given_arrays
from weftnn.nn.parameter import Array, Seed
from weftnn.nn.positions.attention_positions import AttentionPositions
from weftnn.nn.rows import lengths_of, without_padding
from weftnn.ragged import check_lengths


class MultiheadAttention(InProjection):
    """Multi-head attention: each step of a sequence attends to the steps of another sequence, or of its own.

        y, backprop = attention(x)                    dx = backprop(dy)                     x[B,T,E]
        y, backprop = attention(x, memory)            dx, dmemory = backprop(dy)            memory[B,S,E]
        y, backprop = attention(query, key, value)    dquery, dkey, dvalue = backprop(dy)   key[B,S,kdim] ...

    There is one gradient for each argument: those of an array that is given twice must be added.
    attention(x) computes q, k and v in one product, and is faster than attention(x, x, x).

    The constructor's arguments are PyTorch's, and:
        num_kv_heads: Nk, for groups of heads that share keys and values; None: N.
        causal: no step reads a later one.
        window: (left, right), how many steps before and after its own a step reads; -1: all.
        positions: RotaryPositions, ALiBi or RelativePositions, for attention(x).
    A call's arguments:
        mask: broadcast to [B,N,T,S]; bool, True where a step may read (as in scaled_dot_product_attention),
            or floats that are added to the scores.
        bias: floats likewise, with a gradient, which comes last: dx, dbias = backprop(dy).
        lengths[B]: valid steps of the query. y is zero past a row's end, and nothing there is read.
        kv_lengths[B]: valid steps of key and value; of attention(x), `lengths`.
        need_weights: ((y, weights), backprop) = attention(...), with weights[B,T,S], averaged over heads, or
            weights[B,N,T,S] if average_attn_weights is False. They have no gradient.

    predict(x, cache=KeyValueCache()) goes on after the steps in the cache, and adds x to them; it needs
    causal=True. predict(x, memory, cache=...) keeps the memory's keys and values there for the next calls,
    which may leave kv_lengths out.

    Weights are in_proj_weight[(N+2Nk)D, E], or where kdim or vdim is not E q_proj_weight, k_proj_weight and
    v_proj_weight; in_proj_bias; out_proj.weight and out_proj.bias, which is all that a step with nothing to
    read gets. Raises ValueError and TypeError for sizes and arrays that do not fit.

    >>> attention = MultiheadAttention(8, 2, causal=True)
    >>> y, backprop = attention(np.ones((3, 5, 8), np.float32))
    >>> backprop(np.ones_like(y)).shape
    (3, 5, 8)
    """

    takes_lengths = True

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        num_kv_heads: int | None = None,
        causal: bool = False,
        window: tuple[int, int] | None = None,
        positions: AttentionPositions | None = None,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        super().__init__(embed_dim, num_heads, num_kv_heads, kdim, vdim, bias=bias, dtype=dtype, rng=rng)
        self.dropout = check_number("MultiheadAttention", "dropout", dropout, low=0, below=1)
        self.causal = causal
        self.window = None if window is None else _window(window)
        self.positions = positions
        if positions is not None:
            if not isinstance(positions, AttentionPositions):
                expected = "RotaryPositions, ALiBi or RelativePositions"
                raise TypeError(f"MultiheadAttention: positions must be {expected}, got {positions!r:.80}")
            positions.check_fits(num_heads, embed_dim // num_heads)
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype, rng=rng)
        if self.out_proj.bias is not None:
            self.out_proj.bias.data[...] = 0
        if dropout:
            self.draw_from(rng)

    @property
    def reads(self) -> str:
        ahead = -1 if self.window is None else self.window[1]
        return "past" if self.causal or ahead == 0 else "all"

    def __call__(
        self,
        query: Array,
        key: Array | None = None,
        value: Array | None = None,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        kv_lengths: npt.ArrayLike | None = None,
        need_weights: bool = False,
        average_attn_weights: bool = True,
    ) -> tuple[Any, Backprop]:
        given, lengths, kv_lengths = self._given([query, key, value], lengths, kv_lengths)
        (q, k, v), back_project = self.project(given)
        back_turns = self._turn([q, k], 0)
        added, back_added = self._score_bias(bias, q, k, 0)
        options = self._options(mask, added, kv_lengths, need_weights, average_attn_weights)
        with self.undrawn_if_refused():
            drawn: dict[str, Any] = self.next_draw() if self.dropout else {}
            read, saved, *weights = ops.sdpa_forward(
                q, k, v, causal=self.causal, dropout=self.dropout, **drawn, **options
            )
        y, back_out = self.out_proj(join_heads(read))
        y = without_padding(y, lengths)

        def backprop(dy: Array) -> Any:
            dread = split_heads(back_out(without_padding(dy, lengths)), self.num_heads)
            dbias: list[Array] = []

            def write(dheads: list[Array]) -> None:
                dq, dk, dv = dheads
                into = ops.SDPAGrads(dq, dk, dv, None)
                grads = ops.sdpa_backward(saved, dread, out=into, need_dbias=back_added is not None)
                if back_added is not None and grads.dbias is not None:
                    dbias.extend(back_added(grads.dbias))
                for back_turn, dturned in zip(back_turns, (dq, dk), strict=False):
                    back_turn(dturned)

            gradients = [*back_project(write), *dbias]
            return gradients[0] if len(gradients) == 1 else tuple(gradients)

        return ((y, *weights) if weights else y), Backprop(self, backprop, y)

    def predict(
        self,
        query: Array,
        key: Array | None = None,
        value: Array | None = None,
        *,
        mask: Array | None = None,
        bias: Array | None = None,
        lengths: npt.ArrayLike | None = None,
        kv_lengths: npt.ArrayLike | None = None,
        need_weights: bool = False,
        average_attn_weights: bool = True,
        cache: KeyValueCache | None = None,
    ) -> Any:
        if cache is not None and not isinstance(cache, KeyValueCache):
            raise TypeError(f"MultiheadAttention: cache must be a KeyValueCache, got {type(cache).__name__}")
        with unchanged_if_refused([] if cache is None else [cache]):
            causal: bool | Literal["top_left", "bottom_right"] = self.causal
            offset: int | Array = 0
            if cache is not None and key is not None:
                self.check_query(query)
                lengths = lengths_of(self, query, lengths, of="query")
                q, k, v, kv_lengths = self._with_memory([query, key, value], lengths, kv_lengths, cache)
            else:
                given, lengths, kv_lengths = self._given([query, key, value], lengths, kv_lengths)
                (q, k, v), _ = self.project(given)
                if cache is not None:
                    causal, offset = self._causal_after(cache), cache.offset
                self._turn([q, k], offset)
                if cache is not None:
                    k, v, kv_lengths = cache.append(k, v, kv_lengths)
            if cache is not None:
                given_keys = (query if key is None else key).shape[1]
                mask, bias = (_of_kept(array, given_keys, k.shape[2]) for array in (mask, bias))
            added, _ = self._score_bias(bias, q, k, offset)
            options = self._options(mask, added, kv_lengths, need_weights, average_attn_weights)
            read, _, *weights = ops.sdpa_forward(q, k, v, causal=causal, training=False, **options)
            y = without_padding(self.out_proj.predict(join_heads(read)), lengths)
        return (y, *weights) if weights else y

    def graph(self, writer: GraphWriter) -> Node:
        if self.in_proj_weight is None:
            raise writer.obstacle(self, "with kdim or vdim it reads a memory beside its steps")
        return writer.node(
            "attention",
            heads=self.num_heads,
            kv_heads=self.num_kv_heads,
            in_weight=self.in_proj_weight,
            in_bias=self.in_proj_bias,
            out_weight=self.out_proj.weight,
            out_bias=self.out_proj.bias,
            causal=self.causal,
            window=None if self.window is None else list(self.window),
            positions=None if self.positions is None else writer.part(self.positions),
        )

    def _given(
        self,
        arrays: list[Array | None],
        lengths: npt.ArrayLike | None,
        kv_lengths: npt.ArrayLike | None,
    ) -> tuple[list[Array], Array | None, Array | None]:
        """The arrays that were given, with zeros for padding (no product may read a NaN there), and the valid
        steps of query and keys."""
        given = given_arrays(self, ("query", "key", "value"), arrays)
        self.check_given(given)
        if self.positions is not None and len(given) > 1:
            raise ValueError(
                f"MultiheadAttention: {self.positions!r} is for one sequence, attention(x), got key or value"
            )
        lengths = lengths_of(self, given[0], lengths, of="query")
        kv_lengths = lengths_of(self, given[-1], kv_lengths, "kv_lengths", of="key")
        given = [without_padding(array, kv_lengths if i else lengths) for i, array in enumerate(given)]
        return given, lengths, lengths if kv_lengths is None and len(given) == 1 else kv_lengths

    def _options(
        self,
        mask: Array | None,
        bias: Array | None,
        kv_lengths: npt.ArrayLike | None,
        need_weights: bool,
        average: bool,
    ) -> dict[str, Any]:
        """What a call asks of ops.sdpa_forward, whether it trains or not."""
        check_mask(self, "mask", mask, self.dtype)
        return {
            "mask": mask,
            "bias": bias,
            "window": self.window,
            "kv_lengths": kv_lengths,
            "return_weights": "mean" if need_weights and average else need_weights,
        }

    def _turn(self, heads: list[Array], offset: int | Array) -> list[Any]:
        """Rotates q and k in place, if positions do; returns their backprops."""
        if self.positions is None:
            return []
        backs = [self.positions.turn_in_place(part, offset) for part in heads]
        return [back for back in backs if back is not None]

    def _score_bias(
        self, bias: Array | None, q: Array, k: Array, offset: int | Array
    ) -> tuple[Array | None, Callable[[Array], list[Array]] | None]:
        """(what is added to the scores, back): back gives [dbias] of a bias, or []; None: nothing learns."""
        if bias is not None:
            check_array(self, "bias", bias, ("...",), None, self.dtype)
        if self.positions is None:
            return bias, None if bias is None else lambda dbias: [dbias]
        own, back_own = self.positions.score_bias(q.shape[2], k.shape[2], offset, self.causal, q.dtype)
        total = own if bias is None else bias if own is None else bias + own
        if bias is None and back_own is None:
            return total, None

        def back(dtotal: Array) -> list[Array]:
            if own is not None and back_own is not None:
                back_own(sum_to(dtotal, own.shape))
            return [] if bias is None else [sum_to(dtotal, bias.shape)]

        return total, back

    def _causal_after(self, cache: KeyValueCache) -> Literal["top_left", "bottom_right"]:
        """How `causal` places the steps after those in the cache: at the end of the keys."""
        if not self.causal:
            raise ValueError(
                "MultiheadAttention: cache needs causal=True, else earlier steps would have to read x too"
            )
        return "bottom_right" if cache.begun else "top_left"

    def _with_memory(
        self,
        arrays: list[Any],
        lengths: Array | None,
        kv_lengths: npt.ArrayLike | None,
        cache: KeyValueCache,
    ) -> tuple[Array, Array, Array, Array | None]:
        """q, and the memory's k, v and lengths, which the first call puts into the cache."""
        if self.causal:
            raise ValueError("MultiheadAttention: cache of a memory must not be with causal=True")
        if not cache.begun:
            given, _, kv_lengths = self._given(arrays, lengths, kv_lengths)
            (q, k, v), _ = self.project(given)
            return q, *cache.append(k, v, kv_lengths)
        k, v, kept = cache.read()
        if kv_lengths is not None:
            self._check_kept(kv_lengths, kept, len(k), k.shape[2])
        return self.project_query(without_padding(arrays[0], lengths)), k, v, kept

    def _check_kept(self, kv_lengths: npt.ArrayLike, kept: Array | None, rows: int, steps: int) -> None:
        """Refuse lengths of a memory that are not those of the first call, which hold."""
        expected = np.full(rows, steps) if kept is None else kept
        given = check_lengths("MultiheadAttention", kv_lengths, rows, steps, name="kv_lengths", axis="S")
        if not np.array_equal(given, expected):
            raise ValueError(
                f"MultiheadAttention: kv_lengths must be those of the memory in the cache, "
                f"{expected.tolist()}, got {given.tolist()}"
            )

    def __repr__(self) -> str:
        return (
            f"MultiheadAttention({self.embed_dim}, {self.num_heads}{', causal=True' if self.causal else ''})"
        )


def _window(window: Any) -> tuple[int, int]:
    """(left, right)."""
    if not isinstance(window, tuple | list) or len(window) != 2:
        raise ValueError(f"MultiheadAttention: window must be (left, right), got {window!r}")
    left, right = (check_count("MultiheadAttention", "window", side, low=-1) for side in window)
    return left, right


def _of_kept(array: Array | None, given: int, kept: int) -> Array | None:
    """A mask or bias [..., S] of the keys that a call gave, without those that are padding in every row: no
    cache keeps them."""
    return array[..., :kept] if array is not None and np.shape(array)[-1:] == (given,) else array
