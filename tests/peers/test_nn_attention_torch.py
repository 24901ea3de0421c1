"""Parity with PyTorch of attention and what is built of it: outputs, weights, all gradients, state_dicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torch_twins import close, dtypes, load, normal, same_gradients, tensor
from weftnn import nn

pytestmark = pytest.mark.compare

B, T, S, E, N = 3, 6, 5, 12, 3
LENGTHS = [6, 1, 4]
KV_LENGTHS = [2, 5, 3]


def padding(lengths: list[int] | None, time: int) -> Any:
    """PyTorch's key_padding_mask: True is padding."""
    import torch

    return None if lengths is None else torch.arange(time)[None] >= torch.tensor(lengths)[:, None]


def future(time: int) -> Any:
    """PyTorch's causal mask: True is hidden."""
    import torch

    return torch.ones(time, time, dtype=torch.bool).triu(1)


def randomised(module: Any) -> Any:
    """PyTorch starts biases at 0 and norms at 1, where a mistake would not show."""
    import torch

    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
    return module


def backward(y: Any, y_t: Any, lengths: list[int] | None, dtype: Any) -> np.ndarray:
    """Compares y where it is valid, goes back through PyTorch's, and gives the dy."""
    import torch

    valid = np.ones(y.shape[:2], bool) if lengths is None else ~padding(lengths, y.shape[1]).numpy()
    close(y[valid], y_t[torch.tensor(valid)], dtype, "y")
    assert (y[~valid] == 0).all()
    dy = normal(*y.shape, dtype=dtype, seed=9) * valid[..., None].astype(dtype)
    y_t.backward(torch.tensor(dy))
    return dy


@dtypes
@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("bias", [True, False])
def test_self_attention(bias, lengths, causal, average, dtype):
    import torch

    theirs = randomised(torch.nn.MultiheadAttention(E, N, bias=bias, batch_first=True))
    ours, theirs = load(nn.MultiheadAttention(E, N, bias=bias, causal=causal, dtype=dtype), theirs, dtype)
    x = normal(B, T, E, dtype=dtype)
    x_t = tensor(x)
    (y, weights), backprop = ours(x, kv_lengths=lengths, need_weights=True, average_attn_weights=average)
    y_t, weights_t = theirs(
        x_t,
        x_t,
        x_t,
        key_padding_mask=padding(lengths, T),
        attn_mask=future(T) if causal else None,
        average_attn_weights=average,
    )
    dx = backprop(backward(y, y_t, None, dtype))
    close(weights, weights_t, dtype, "weights")
    close(dx, x_t.grad, dtype, "dx")
    same_gradients(ours, theirs, dtype)
    np.testing.assert_array_equal(ours.predict(x, kv_lengths=lengths), y)


@dtypes
@pytest.mark.parametrize("sizes", [{}, {"kdim": 7}, {"kdim": 4, "vdim": 9}])
def test_query_key_and_value(sizes, dtype):
    import torch

    theirs = randomised(torch.nn.MultiheadAttention(E, N, batch_first=True, **sizes))
    ours, theirs = load(nn.MultiheadAttention(E, N, dtype=dtype, **sizes), theirs, dtype)
    shapes = [(B, T, E), (B, S, sizes.get("kdim", E)), (B, S, sizes.get("vdim", E))]
    given = [normal(*shape, dtype=dtype, seed=i) for i, shape in enumerate(shapes)]
    added = normal(B * N, T, S, dtype=dtype)
    given_t, added_t = [tensor(array) for array in given], tensor(added)
    y, backprop = ours(*given, bias=added.reshape(B, N, T, S), kv_lengths=KV_LENGTHS)
    hidden = torch.zeros(B, S, dtype=added_t.dtype).masked_fill(padding(KV_LENGTHS, S), -torch.inf)
    y_t, _ = theirs(*given_t, attn_mask=added_t, key_padding_mask=hidden)
    *gradients, dbias = backprop(backward(y, y_t, None, dtype))
    for name, gradient, array_t in zip(("dq", "dk", "dv"), gradients, given_t, strict=True):
        close(gradient, array_t.grad, dtype, name)
    close(dbias.reshape(added.shape), added_t.grad, dtype, "dbias")
    same_gradients(ours, theirs, dtype)


@dtypes
def test_memory(dtype):
    """Key and value are one array: its gradient is both of PyTorch's."""
    import torch

    theirs = randomised(torch.nn.MultiheadAttention(E, N, batch_first=True))
    ours, theirs = load(nn.MultiheadAttention(E, N, dtype=dtype), theirs, dtype)
    x, memory = normal(B, T, E, dtype=dtype), normal(B, S, E, dtype=dtype)
    x_t, memory_t = tensor(x), tensor(memory)
    mask = np.random.default_rng(0).random((T, S)) < 0.7
    mask[:, 0] = True  # PyTorch gives NaN where there is nothing to read
    y, backprop = ours(x, memory, mask=mask)
    y_t, _ = theirs(x_t, memory_t, memory_t, attn_mask=torch.tensor(~mask))
    dx, dmemory = backprop(backward(y, y_t, None, dtype))
    close(dx, x_t.grad, dtype, "dx")
    close(dmemory, memory_t.grad, dtype, "dmemory")
    same_gradients(ours, theirs, dtype)


@dtypes
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("options", [{}, {"activation": "gelu", "layer_norm_eps": 1e-3}, {"bias": False}])
def test_encoder_layer(options, norm_first, lengths, dtype):
    import torch

    options = {"dim_feedforward": 20, "dropout": 0.0, "norm_first": norm_first, **options}
    theirs = randomised(torch.nn.TransformerEncoderLayer(E, N, batch_first=True, **options))
    ours, theirs = load(nn.TransformerEncoderLayer(E, N, causal=True, dtype=dtype, **options), theirs, dtype)
    x = normal(B, T, E, dtype=dtype)
    x_t = tensor(x)
    y, backprop = ours(x, lengths=lengths)
    y_t = theirs(x_t, src_mask=future(T), src_key_padding_mask=padding(lengths, T))
    close(backprop(backward(y, y_t, lengths, dtype)), x_t.grad, dtype, "dx")
    same_gradients(ours, theirs, dtype)


@dtypes
@pytest.mark.parametrize("norm", [False, True])
def test_encoder(norm, dtype):
    import torch

    options = {"dim_feedforward": 20, "dropout": 0.0}
    theirs = randomised(
        torch.nn.TransformerEncoder(
            torch.nn.TransformerEncoderLayer(E, N, batch_first=True, **options),
            3,
            torch.nn.LayerNorm(E) if norm else None,
            enable_nested_tensor=False,
        )
    )
    layers = [nn.TransformerEncoderLayer(E, N, dtype=dtype, **options) for _ in range(3)]
    ours, theirs = load(
        nn.TransformerEncoder(layers, nn.LayerNorm(E, dtype=dtype) if norm else None), theirs, dtype
    )
    x = normal(B, T, E, dtype=dtype)
    x_t = tensor(x)
    y, backprop = ours(x, lengths=LENGTHS)
    y_t = theirs(x_t, src_key_padding_mask=padding(LENGTHS, T))
    close(backprop(backward(y, y_t, LENGTHS, dtype)), x_t.grad, dtype, "dx")
    same_gradients(ours, theirs, dtype)


@dtypes
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("options", [{}, {"activation": "gelu", "layer_norm_eps": 1e-3}, {"bias": False}])
def test_decoder_layer(options, norm_first, ragged, dtype):
    import torch

    options = {"dim_feedforward": 20, "dropout": 0.0, "norm_first": norm_first, **options}
    lengths, kv_lengths = (LENGTHS, KV_LENGTHS) if ragged else (None, None)
    theirs = randomised(torch.nn.TransformerDecoderLayer(E, N, batch_first=True, **options))
    ours, theirs = load(nn.TransformerDecoderLayer(E, N, dtype=dtype, **options), theirs, dtype)
    x, memory = normal(B, T, E, dtype=dtype), normal(B, S, E, dtype=dtype)
    x_t, memory_t = tensor(x), tensor(memory)
    y, backprop = ours(x, memory, lengths=lengths, memory_lengths=kv_lengths)
    y_t = theirs(
        x_t,
        memory_t,
        tgt_mask=future(T),
        tgt_key_padding_mask=padding(lengths, T),
        memory_key_padding_mask=padding(kv_lengths, S),
    )
    dx, dmemory = backprop(backward(y, y_t, lengths, dtype))
    close(dx, x_t.grad, dtype, "dx")
    close(dmemory, memory_t.grad, dtype, "dmemory")
    same_gradients(ours, theirs, dtype)


@dtypes
@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer(norm_first, dtype):
    import torch

    sizes = (E, N, 2, 3, 20, 0.0)
    theirs = randomised(torch.nn.Transformer(*sizes, "gelu", norm_first=norm_first, batch_first=True))
    ours, theirs = load(nn.Transformer(*sizes, "gelu", norm_first=norm_first, dtype=dtype), theirs, dtype)
    source, x = normal(B, S, E, dtype=dtype), normal(B, T, E, dtype=dtype)
    source_t, x_t = tensor(source), tensor(x)
    y, backprop = ours(source, x, lengths=KV_LENGTHS, x_lengths=LENGTHS)
    y_t = theirs(
        source_t,
        x_t,
        tgt_mask=future(T),
        src_key_padding_mask=padding(KV_LENGTHS, S),
        memory_key_padding_mask=padding(KV_LENGTHS, S),
        tgt_key_padding_mask=padding(LENGTHS, T),
    )
    dsource, dx = backprop(backward(y, y_t, LENGTHS, dtype))
    close(dsource, source_t.grad, dtype, "dsource")
    close(dx, x_t.grad, dtype, "dx")
    same_gradients(ours, theirs, dtype)
