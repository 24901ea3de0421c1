"""Random stacks of layers that can be stepped, for hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from weftnn import nn

PLACES = 12  # steps that learned positions have room for
Made = tuple[nn.Layer, int]


@st.composite
def stacks(draw: DrawFn, dtype: Any = np.float64) -> tuple[nn.Layer, np.ndarray]:
    """(layer, x[1,T,F]) or (layer, tokens[1,T]), T at least 1."""
    made = {"dtype": dtype, "rng": np.random.default_rng(draw(st.integers(0, 2**32 - 1)))}
    time, width = draw(st.integers(1, PLACES)), draw(st.integers(1, 9))
    rng = made["rng"]
    if draw(st.booleans()):
        x, first = rng.integers(0, 7, (1, time)), nn.Embedding(7, width, **made)
    else:
        first = nn.Linear(inputs := draw(st.integers(1, 5)), width, **made)
        x = rng.normal(0, 1, (1, time, inputs)).astype(dtype)
    inner, _ = draw(sequences(width, made, depth=2))
    layer = nn.Sequential(first, inner)
    for parameter in layer.parameters():
        parameter.data[...] += rng.normal(0, 0.2, parameter.shape)
    return layer, x


@st.composite
def sequences(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    layers = []
    for _ in range(draw(st.integers(*((2, 6) if depth == 2 else (0, 3))))):
        layer, width = draw(st.sampled_from(KINDS[: None if depth else -1]))(draw, width, made, depth)
        layers.append(layer)
    return nn.Sequential(*layers), width


def linear(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    out = draw(st.integers(1, 20))
    return nn.Linear(width, out, draw(st.booleans()), **made), out


def activation(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    kinds = [nn.ReLU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Tanh(), nn.Sigmoid(), nn.Dropout(0.5)]
    if width % 2 == 0 and draw(st.booleans()):
        return nn.SwiGLU(), width // 2
    return draw(st.sampled_from(kinds)), width


def normalisation(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    affine, bias = draw(st.booleans()), draw(st.booleans())
    return nn.LayerNorm(width, 1e-2, affine, bias, dtype=made["dtype"]), width


def recurrent(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    kind = draw(st.sampled_from([nn.RNN, nn.LSTM, nn.GRU]))
    hidden = draw(st.integers(1, 20))
    options: dict[str, Any] = {
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "zoneout": draw(st.sampled_from([0.0, 0.3])),
    }
    if kind is nn.LSTM:
        options |= {name: draw(st.booleans()) for name in ("peephole", "coupled")}
        options["proj_size"] = draw(st.integers(0, hidden - 1))
    elif kind is nn.GRU:
        options["reset_after"] = draw(st.booleans())
    else:
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    layer = kind(width, hidden, **options, **made)
    return layer, layer.output_size


def positions(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    if draw(st.booleans()):
        return nn.SinusoidalPositions(width, 100.0), width
    return nn.LearnedPositions(PLACES, width, **made), width


def attention(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    heads = draw(st.sampled_from([n for n in (1, 2, 3, 4) if width % n == 0]))
    options: dict[str, Any] = {
        "num_kv_heads": draw(st.sampled_from([k for k in (1, 2, 3, 4) if heads % k == 0])),
        "bias": draw(st.booleans()),
        "causal": True,
        "window": draw(st.sampled_from([None, (0, 0), (2, -1), (-1, 0)])),
        "positions": draw(st.sampled_from(["none", "rotary", "alibi", "relative"])),
    }
    within = {
        "none": lambda: None,
        "rotary": lambda: nn.RotaryPositions(2, 50.0, interleaved=draw(st.booleans())),
        "alibi": lambda: nn.ALiBi(heads),
        "relative": lambda: nn.RelativePositions(heads, 6, 8, draw(st.booleans()), **made),
    }
    if width // heads < 2 and options["positions"] == "rotary":
        options["positions"] = "none"
    options["positions"] = within[options["positions"]]()
    if draw(st.booleans()):
        return nn.MultiheadAttention(width, heads, **options, **made), width
    options |= {"norm_first": draw(st.booleans()), "layer_norm_eps": 1e-2}
    options["activation"] = draw(st.sampled_from(["relu", "gelu", "silu", "swiglu"]))
    return nn.TransformerEncoderLayer(width, heads, 5, **options, **made), width


def residual(draw: DrawFn, width: int, made: dict[str, Any], depth: int) -> Made:
    inner, out = draw(sequences(width, made, depth - 1))
    back = [] if out == width else [nn.Linear(out, width, **made)]
    return nn.Residual(nn.Sequential(inner, *back)), width


KINDS = [recurrent, attention, linear, activation, normalisation, positions, residual]  # the last goes deeper
