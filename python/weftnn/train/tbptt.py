"""Truncated backpropagation through time: a long sequence learned in pieces, with its state carried along.

Every k1 steps the loss of these k1 steps is taken, and its gradient flows k2 steps back:

    steps     0 ....... s-k2 ....... s-k1 ....... s
    forward             |---context---|--segment--|       from the state at s-k2, with the weights of now
    loss                              |-----------|
    backward            |<------------|-----------|

With k1 = k2 there is no context. With k2 > k1 the context is run again for each segment, because the weights
have changed since: what is learned is the exact gradient of the segment's loss, the state at s-k2 held fixed.
Context and state carry over from batch to batch where a batch `continues` the one before.

Williams and Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
trajectories", 1990 (their BPTT(h; h') has h' = k1, h = k2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from weftnn.data import Batch, DataSource
from weftnn.data.batch import Array
from weftnn.nn import Layer
from weftnn.nn.sequences import options_for, why_not_to_cut
from weftnn.train.stored import count_of


def segments(source: DataSource, epoch: int, k1: int | None) -> Iterator[tuple[int, Batch]]:
    """(number of the batch, segment): the batches of an epoch cut into k1 steps, or whole if k1 is None."""
    for number, batch in enumerate(source.batches(epoch)):
        for segment in cut(batch, k1):
            yield number, segment


def cut(batch: Batch, k1: int | None) -> Iterator[Batch]:
    """The batch in pieces of at most k1 steps, as views; pieces where every row has ended are left out.

    >>> x = np.arange(5.0).reshape(1, 5, 1)
    >>> [(piece.x.ravel().tolist(), piece.continues) for piece in cut(Batch(x, x), 3)]
    [([0.0, 1.0, 2.0], False), ([3.0, 4.0], True)]
    """
    if k1 is None:
        yield batch
        return
    steps = batch.x.shape[1] if batch.x.ndim > 1 else 0
    if batch.y.ndim < 2 or batch.y.shape[1] != steps:
        raise ValueError(
            f"Trainer: tbptt needs a target at every step, y[B,T,...] with T = {steps}, got {batch.y.shape}"
        )
    if steps <= k1:
        yield batch
        return
    for start in range(0, steps, k1):
        piece = np.s_[:, start : start + k1]
        lengths = None if batch.lengths is None else np.clip(batch.lengths - start, 0, min(k1, steps - start))
        if lengths is not None and not lengths.any():
            return
        weight = batch.weight
        yield replace(
            batch,
            x=batch.x[piece],
            y=batch.y[piece],
            lengths=lengths,
            resets=None if batch.resets is None else batch.resets[piece],
            weight=weight[piece] if weight is not None and weight.ndim > 1 else weight,
            continues=batch.continues or start > 0,
        )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Inputs that the model runs over in one call: x[B,t,...], lengths[B], resets[B,t]."""

    x: Array
    lengths: Array | None
    resets: Array | None

    @property
    def steps(self) -> int:
        return int(self.x.shape[1])

    def split(self, at: int) -> tuple[Chunk, Chunk]:
        """The steps before `at` and the rest."""
        lengths, resets = self.lengths, self.resets
        before, after = (
            (None, None) if lengths is None else (np.minimum(lengths, at), np.maximum(lengths - at, 0))
        )
        return (
            Chunk(self.x[:, :at], before, None if resets is None else resets[:, :at]),
            Chunk(self.x[:, at:], after, None if resets is None else resets[:, at:]),
        )

    def options(self) -> dict[str, Array]:
        """What a stateful layer's call takes beside x and the state."""
        given = {"lengths": self.lengths, "resets": self.resets}
        return {name: array for name, array in given.items() if array is not None}


class Unroll:
    """Runs a model over the segments of a stream, carrying its state; `backprop` reaches `context` steps
    further.

    context: k2 - k1. carry: None follows `Batch.continues`, True always carries the state, False never.
    start: the state before the first step of the chunks kept as context, `kept`.
    """

    def __init__(self, model: Layer, *, context: int = 0, carry: bool | None = None) -> None:
        self.model = model
        self.context = context
        self.carry = carry
        self.start: Any = None
        self.kept: list[Chunk] = []
        self._rows: int | None = None
        self._obstacle = why_not_to_cut(model) if model.stateful else None

    def forward(self, segment: Batch) -> tuple[Array, Callable[[Array], None]]:
        """The prediction for the segment, and the backprop for its gradient."""
        if not self.model.stateful:
            prediction, backprop = self.model(segment.x, **self._options(segment))
            return prediction, lambda dy: _discard(backprop(dy))
        state, kept = self._past(segment)
        context, own, kept_from = self._chunks(kept, segment)
        starts, steps, predictions = [], [], []
        for chunk in context + own:
            starts.append(state)
            (y, state), backprop = self.model(chunk.x, state, **chunk.options())
            steps.append(backprop)
            predictions.append(y)
        self.kept = (context + own)[kept_from:]
        self.start = starts[kept_from] if self.kept else state
        self._rows = len(segment.x)
        predictions = predictions[len(context) :]

        def backward(dy: Array) -> None:
            dstate, end = None, dy.shape[1] if len(own) > 1 else 0
            for chunk in reversed(own):
                part = dy if len(own) == 1 else dy[:, end - chunk.steps : end]
                _, dstate = steps.pop()(part, dstate)
                end -= chunk.steps
            while steps:
                _, dstate = steps.pop()(None, dstate)

        return predictions[0] if len(own) == 1 else np.concatenate(predictions, axis=1), backward

    def predict(self, segment: Batch) -> Array:
        """The prediction alone; the state is carried, nothing is kept."""
        if not self.model.stateful:
            return self.model.predict(segment.x, **self._options(segment))  # type: ignore[no-any-return]
        state, _ = self._past(segment)
        chunk = Chunk(segment.x, segment.lengths, segment.resets)
        prediction, last = self.model.predict(chunk.x, state, **chunk.options())
        self.start, self.kept, self._rows = last, [], len(segment.x)
        return prediction  # type: ignore[no-any-return]

    def _options(self, segment: Batch) -> dict[str, Array]:
        """What a model without a state is given beside x."""
        return options_for("Trainer", self.model, segment.lengths, segment.resets)

    def _past(self, segment: Batch) -> tuple[Any, list[Chunk]]:
        """(start, kept) before the segment: nothing, unless it continues what was before. A segment that is
        refused leaves both."""
        rows = len(segment.x)
        if not (segment.continues if self.carry is None else self.carry):
            return None, []
        if self._obstacle is not None:
            raise ValueError(f"Trainer: the state cannot go on from batch to batch: {self._obstacle}")
        if self._rows not in (None, rows):
            raise ValueError(
                f"Trainer: a batch that continues must have B = {self._rows} rows like the one before, "
                f"got {rows}"
            )
        return self.start, self.kept

    def _chunks(self, kept: list[Chunk], segment: Batch) -> tuple[list[Chunk], list[Chunk], int]:
        """The context, the segment, and the first chunk of both that the next segment's context keeps."""
        context, own = list(kept), [Chunk(segment.x, segment.lengths, segment.resets)]
        if not self.context:
            return context, own, len(context) + 1
        surplus = sum(chunk.steps for chunk in context + own) - self.context
        for index, chunk in enumerate(context + own):
            if surplus <= 0:
                return context, own, index
            if surplus < chunk.steps:  # the next context begins inside this chunk, and needs the state there
                pieces = chunk.split(surplus)
                if index < len(context):
                    context[index : index + 1] = pieces
                else:
                    own = list(pieces)
                return context, own, index + 1
            surplus -= chunk.steps
        return context, own, len(context) + 1

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """(arrays, outline): what the next segment needs of the past; the outline is fit for JSON."""
        arrays: dict[str, Array] = {}
        kept = [(chunk.x, chunk.lengths, chunk.resets) for chunk in self.kept]
        outline = {
            "start": _named(self.start, "start", arrays),
            "kept": _named(tuple(kept), "kept", arrays),
            "rows": self._rows,
        }
        return arrays, outline

    def load_state_dict(self, arrays: dict[str, Array], outline: Mapping[str, Any]) -> None:
        """Takes back what `state_dict` gave; nothing changes unless all of it is right.

        Raises ValueError where arrays and outline do not belong together or the state holds NaN.
        """
        rows = None if outline["rows"] is None else count_of(outline, "rows")
        used: set[str] = set()
        start, kept = _found(outline["start"], arrays, used), _found(outline["kept"], arrays, used)
        _check_state(arrays, [name for name in sorted(used) if name.startswith("start")])
        if not isinstance(kept, tuple) or not all(isinstance(chunk, tuple) for chunk in kept):
            raise TypeError(f"stream: kept must be a list of chunks, got {outline['kept']!r:.80}")
        chunks = [_checked_chunk(chunk, rows) for chunk in kept]
        if used != arrays.keys():
            strange = min(arrays.keys() - used)
            raise ValueError(f"stream: the array {strange:.80} belongs to nothing")
        self.start, self.kept, self._rows = start, chunks, rows


def _discard(result: Any) -> None:
    """A gradient with respect to the inputs that nobody asked for."""


def _named(value: Any, name: str, arrays: dict[str, Array]) -> Any:
    """Files the arrays of a nested state under names; gives the nesting with names in their place."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return [_named(part, f"{name}.{index}", arrays) for index, part in enumerate(value)]
    arrays[name] = np.asarray(value)
    return name


def _found(outline: Any, arrays: dict[str, Array], used: set[str]) -> Any:
    """The nested state of an outline; `used` gets the names of its arrays."""
    if isinstance(outline, list):
        return tuple(_found(part, arrays, used) for part in outline)
    if outline is None:
        return None
    if not isinstance(outline, str) or outline not in arrays:
        raise ValueError(f"stream: the array {outline!r:.80} is missing")
    used.add(outline)
    return arrays[outline]


def _check_state(arrays: dict[str, Array], names: list[str]) -> None:
    for name in names:
        array = arrays[name]
        if np.isnan(array).any():
            raise ValueError(f"stream: the state {name} holds NaN")


def _checked_chunk(parts: tuple[Any, ...], rows: int | None) -> Chunk:
    """x[B,t,...], lengths[B], resets[B,t]."""
    x, lengths, resets = parts
    for part in parts:
        if part is not None and not isinstance(part, np.ndarray):
            raise TypeError(f"stream: a chunk must be of arrays, got {type(part).__name__}")
    if x is None or x.ndim < 2 or x.shape[0] != rows:
        raise ValueError(f"stream: x of a chunk must be (B, t, ...) with B = {rows}, got {np.shape(x)}")
    if lengths is not None and (
        lengths.shape != x.shape[:1]
        or lengths.dtype.kind not in "iu"
        or ((lengths < 0) | (lengths > x.shape[1])).any()
    ):
        raise ValueError(
            f"stream: lengths of a chunk must be ({rows},) integers in 0..{x.shape[1]}, "
            f"got {lengths.dtype} {lengths.shape}"
        )
    if resets is not None and (resets.shape != x.shape[:2] or resets.dtype != np.bool_):
        raise ValueError(
            f"stream: resets of a chunk must be {x.shape[:2]} bool, got {resets.dtype} {resets.shape}"
        )
    return Chunk(x, lengths, resets)
