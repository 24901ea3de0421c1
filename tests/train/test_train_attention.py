"""Training of attention end to end: an encoder and a decoder learn to reverse rows of several lengths."""

from __future__ import annotations

import numpy as np
import pytest

import weftnn
from weftnn import nn, optim

TOKENS, LONGEST, SIZE, BEGIN = 8, 7, 32, 0


class Reverser(nn.Layer):
    """Tokens in, scores of the next token of the reversed row out; decoding is step by step, with caches."""

    def __init__(self, positions: str) -> None:
        rng = np.random.default_rng(0)
        own = {
            "rotary": lambda: nn.RotaryPositions(8),
            "alibi": lambda: nn.ALiBi(4),
            "relative": lambda: nn.RelativePositions(4, rng=rng),
        }

        def inside() -> nn.AttentionPositions | None:
            return own[positions]() if positions in own else None

        self.embedding = nn.Embedding(TOKENS + 1, SIZE, rng=rng)
        self.places = (
            nn.LearnedPositions(LONGEST, SIZE, rng=rng)
            if positions == "learned"
            else nn.SinusoidalPositions(SIZE)
        )
        options = {"norm_first": True, "activation": "swiglu", "rng": rng}
        self.encoder = nn.TransformerEncoder(
            [nn.TransformerEncoderLayer(SIZE, 4, 48, 0.0, positions=inside(), **options)], nn.LayerNorm(SIZE)
        )
        self.decoder = nn.TransformerDecoder(
            [nn.TransformerDecoderLayer(SIZE, 4, 48, 0.0, positions=inside(), **options)], nn.LayerNorm(SIZE)
        )
        self.head = nn.Linear(SIZE, TOKENS + 1, rng=rng)

    def __call__(self, source, x, lengths):
        embedded, back_source = nn.Sequential(self.embedding, self.places)(source)
        memory, back_encoder = self.encoder(embedded, lengths=lengths)
        embedded, back_x = nn.Sequential(self.embedding, self.places)(x)
        hidden, back_decoder = self.decoder(embedded, memory, lengths=lengths, memory_lengths=lengths)
        y, back_head = self.head(hidden)

        def backprop(dy):
            dembedded, dmemory = back_decoder(back_head(dy))
            back_x(dembedded)
            back_source(back_encoder(dmemory))

        return y, nn.Backprop(self, backprop, y)

    def decode(self, source, lengths):
        memory = self.encoder.predict(self.places.predict(self.embedding.predict(source)), lengths=lengths)
        cache = self.decoder.make_cache(2)
        token, tokens = np.full((len(source), 1), BEGIN), []
        for _ in range(source.shape[1]):
            x = self.places.predict(self.embedding.predict(token), cache[0].steps.offset)
            hidden = self.decoder.predict(x, memory, memory_lengths=lengths, cache=cache)
            token = self.head.predict(hidden).argmax(-1)
            tokens.append(token)
        return np.concatenate(tokens, axis=1)


def batch(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, ...]:
    """(source, decoder's input, target, lengths); -100 is no target."""
    lengths = rng.integers(1, LONGEST + 1, rows)
    source = rng.integers(1, TOKENS + 1, (rows, LONGEST))
    target = np.full((rows, LONGEST), -100)
    for row, length in enumerate(lengths):
        target[row, :length] = source[row, :length][::-1]
    x = np.concatenate([np.full((rows, 1), BEGIN), np.maximum(target[:, :-1], 0)], axis=1)
    return source, x, target, lengths


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "alibi", "relative"])
def test_reversing(positions: str) -> None:
    weftnn.set_num_threads(1)
    rng = np.random.default_rng(1)
    model = Reverser(positions)
    optimizer, loss = optim.AdamW(model.parameters(), lr=3e-3), nn.CrossEntropyLoss()
    for _ in range(500):
        source, x, target, lengths = batch(rng, 64)
        scores, backprop = model(source, x, lengths)
        _, back_loss = loss(scores, target)
        backprop(back_loss())
        optimizer.step()
        optimizer.zero_grad()
    source, _, target, lengths = batch(rng, 200)
    right = (model.decode(source, lengths) == target)[target >= 0].mean()
    assert right > 0.9  # one that guesses: 0.125
