"""Parity with PyTorch of a whole GPT with the same weights: logits, loss and all gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpt_cases import TEXT, C, make
from torch_twins import close, dtypes, load, same_gradients
from weftnn import nn

pytestmark = pytest.mark.compare


def of_torch(hidden: int, heads: int, layers: int, tied: bool) -> Any:
    """A GPT of PyTorch's own parts, with weft's names."""
    import torch

    class Transformer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(256, hidden)
            self.positions = torch.nn.Embedding(C, hidden)
            layer = torch.nn.TransformerEncoderLayer(
                hidden, heads, 4 * hidden, 0.0, "gelu", batch_first=True, norm_first=True
            )
            norm = torch.nn.LayerNorm(hidden)
            self.encoder = torch.nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
            self.head = torch.nn.Linear(hidden, 256)
            if tied:
                self.embedding.weight = self.head.weight

        def forward(self, ids: Any) -> Any:
            time = ids.shape[1]
            mask = torch.ones(time, time, dtype=torch.bool).triu(1)
            h = self.embedding(ids) + self.positions.weight[:time]
            return self.head(self.encoder(h, mask=mask))

    return Transformer()


@dtypes
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("time", [C, 5])
def test_outputs_and_all_gradients(time: int, tied: bool, dtype: Any) -> None:
    import torch

    model = make(positions="learned", tie_weights=tied, dtype=dtype)
    theirs = of_torch(12, 2, 2, tied)
    theirs.load_state_dict({name: torch.tensor(array) for name, array in model.state_dict().items()})
    model, theirs = load(model, theirs, dtype)
    x, y = TEXT[: 3 * time].reshape(3, time), TEXT[1 : 3 * time + 1].reshape(3, time)
    logits, backprop = model(x)
    loss, loss_backprop = nn.CrossEntropyLoss()(logits, y)
    backprop(loss_backprop())
    logits_t = theirs(torch.tensor(x.astype(np.int64)))
    loss_t = torch.nn.functional.cross_entropy(
        logits_t.flatten(0, 1), torch.tensor(y.astype(np.int64)).flatten()
    )
    loss_t.backward()
    close(logits, logits_t, dtype, "logits")
    close(loss, loss_t, dtype, "loss")
    same_gradients(model, theirs, dtype)
