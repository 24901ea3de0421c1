"""Additive, bilinear and dot attention: as PyTorch computes them, what padding may hold, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck import relative_error
from weftnn import nn

B, T, S, Q, K, V = 3, 7, 9, 4, 6, 5
TOLERANCE = {np.float64: 1e-12, np.float32: 5e-6}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
KINDS: dict[str, Callable[..., Any]] = {
    "additive": lambda **options: nn.AdditiveAttention(Q, K, 11, rng=1, **options),
    "bilinear": lambda **options: nn.BilinearAttention(Q, K, rng=1, **options),
    "dot": lambda dtype=None, **options: nn.DotAttention(rng=1, **options),
}
EACH = pytest.mark.parametrize("kind", KINDS)


def normal(dtype: Any, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def arrays(kind: str, dtype: Any) -> list[np.ndarray]:
    """query, key, value"""
    return [normal(dtype, B, T, K if kind == "dot" else Q), normal(dtype, B, S, K), normal(dtype, B, S, V)]


def plain_scores(layer: Any, query: Any, key: Any) -> Any:
    """PyTorch's scores, of tensors, as the papers write them."""
    import torch

    weights = {name: parameter.tensor for name, parameter in layer.items()}
    if "weight" in weights:
        hidden = query @ weights["query_proj.weight"].T + weights["query_proj.bias"]
        hidden = hidden[:, :, None] + (key @ weights["key_proj.weight"].T)[:, None]
        return torch.einsum("btsa,a->bts", torch.tanh(hidden), weights["weight"])
    if weights:
        return torch.einsum("btq,kq,bsk->bts", query, weights["query_proj.weight"], key)
    return query @ key.transpose(1, 2)


class Weight:
    """A parameter beside PyTorch's."""

    def __init__(self, parameter: nn.Parameter) -> None:
        import torch

        self.ours = parameter
        self.tensor = torch.tensor(parameter.data, requires_grad=True)


@pytest.mark.compare
@DTYPES
@EACH
@pytest.mark.parametrize("hidden", ["nothing", "padding", "mask", "added"])
@pytest.mark.parametrize("count", [2, 3], ids=["memory", "key-value"])
def test_against_pytorch(kind: str, hidden: str, count: int, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    layer = KINDS[kind](dtype=dtype)
    weights = {name: Weight(parameter) for name, parameter in layer.named_parameters()}
    given = arrays(kind, dtype)[:count]
    tensors = [torch.tensor(array, requires_grad=True) for array in given]
    options: dict[str, Any] = {}
    scores = plain_scores(weights, *tensors[:2])
    if hidden == "padding":
        options["kv_lengths"] = [9, 2, 5]
        padding = torch.arange(S) >= torch.tensor(options["kv_lengths"])[:, None, None]
        scores = scores.masked_fill(padding, -torch.inf)
    elif hidden == "mask":
        options["mask"] = np.random.default_rng(2).random((B, T, S)) < 0.7
        scores = scores.masked_fill(~torch.tensor(options["mask"]), -torch.inf)
    elif hidden == "added":
        options["mask"] = normal(dtype, T, S)
        scores = scores + torch.tensor(options["mask"])
    right_weights = scores.softmax(-1)
    right = right_weights @ tensors[-1]
    dy = normal(dtype, *right.shape, seed=4)
    right.backward(torch.tensor(dy))

    (y, y_weights), backprop = layer(*given, need_weights=True, **options)
    gradients = backprop(dy)
    pairs = {"y": (y, right), "weights": (y_weights, right_weights)}
    pairs |= {f"d{i}": pair for i, pair in enumerate(zip(gradients, (t.grad for t in tensors), strict=True))}
    pairs |= {name: (weight.ours.grad, weight.tensor.grad) for name, weight in weights.items()}
    for name, (actual, expected) in pairs.items():
        assert actual.dtype == dtype, name
        assert relative_error(actual, expected.detach().numpy()) <= TOLERANCE[dtype], name


@DTYPES
@EACH
def test_padding_is_not_read(kind: str, dtype: Any) -> None:
    """NaN past a row's end, of the query and of the memory, changes no bit; gradients there are zero."""
    layer = KINDS[kind](dtype=dtype)
    lengths, kv_lengths = np.array([7, 0, 3]), np.array([2, 9, 0])
    given, dy = arrays(kind, dtype), normal(dtype, B, T, V, seed=4)
    past = [np.arange(T) >= lengths[:, None], *[np.arange(S) >= kv_lengths[:, None]] * 2]
    results = []
    for poison in (0.0, np.nan):
        for array, padding in zip(given, past, strict=True):
            array[padding] = poison
        dy[past[0]] = poison
        layer.zero_grad()
        y, backprop = layer(*given, lengths=lengths, kv_lengths=kv_lengths)
        gradients = backprop(dy)
        results.append([y, *gradients, *(np.copy(p.grad) for p in layer.parameters())])
        for gradient, padding in zip(gradients, past, strict=True):
            assert not gradient[padding].any()
    for clean, dirty in zip(*results, strict=True):
        np.testing.assert_array_equal(dirty, clean)


@EACH
def test_weights_on_request(kind: str) -> None:
    layer, given = KINDS[kind](), arrays(kind, np.float32)
    y = layer.predict(*given)
    again, weights = layer.predict(*given, need_weights=True)
    np.testing.assert_array_equal(again, y)
    assert weights.shape == (B, T, S)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights @ given[2], y, rtol=1e-5, atol=1e-6)


@EACH
def test_what_is_refused(kind: str) -> None:
    layer = KINDS[kind]()
    query, key, value = arrays(kind, np.float32)
    name = type(layer).__name__
    for wrong, message in (
        ((query[0], key), r"query must be \(B, T, query_size\)"),
        ((query, key[..., :-1]), r"memory must be \(B, S, key_size\) with key_size = 6, got \(3, 9, 5\)"),
        ((query, key, value[..., 0]), r"value must be \(B, S, value_size\), got \(3, 9\)"),
        ((query, key[:-1]), "must agree in B"),
        ((query, key, value[:, :-1]), "memory and value in S"),
    ):
        for call in (layer, layer.predict):
            with pytest.raises(ValueError, match=f"^{name}: .*{message}"):
                call(*wrong)
    with pytest.raises(TypeError, match="float64"):
        layer(query, key.astype(np.float64))
    with pytest.raises(ValueError, match=rf"^{name}: dropout must be .*got 1"):
        KINDS[kind](dropout=1.0)


def test_sizes() -> None:
    for wrong in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        with pytest.raises(ValueError, match="must be an integer >= 1, got 0"):
            nn.AdditiveAttention(*wrong)
    with pytest.raises(ValueError, match="must be an integer >= 1, got 0"):
        nn.BilinearAttention(0, 3)
    with pytest.raises(ValueError, match="scale must be a finite number"):
        nn.DotAttention(scale=float("nan"))
