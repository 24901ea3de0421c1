"""A layer of PyTorch beside ours: the same weights, close results, the same gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from weftnn import nn

# Both sides round each step once or twice; T * 2 layers of it, on values of order 1 (gradients: of order 10).
TOLERANCE = {np.float64: {"rtol": 1e-11, "atol": 1e-12}, np.float32: {"rtol": 2e-4, "atol": 2e-5}}
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def close(ours: Any, theirs: Any, dtype: Any, name: str = "") -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), **TOLERANCE[dtype], err_msg=name)


def tensor(array: np.ndarray) -> Any:
    import torch

    return torch.tensor(array, requires_grad=array.dtype.kind == "f")


def load(ours: nn.Layer, theirs: Any, dtype: Any) -> tuple[nn.Layer, Any]:
    import torch

    theirs = theirs.to(torch.float64 if dtype == np.float64 else torch.float32)
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return ours, theirs


def same_gradients(ours: nn.Layer, theirs: Any, dtype: Any) -> None:
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        close(parameter.grad, expected[name].grad, dtype, name)


def normal(*shape: int, dtype: Any, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)
