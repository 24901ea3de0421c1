"""Parity with PyTorch, for every option it has: outputs, states, all gradients, its state_dict as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from torch_twins import close, dtypes, load, normal, same_gradients, tensor
from weftnn import nn

pytestmark = pytest.mark.compare

B, T, I, H = 4, 6, 3, 5
LENGTHS = [3, 6, 1, 4]
RECURRENT = {
    "RNN": [{}, {"nonlinearity": "relu"}],
    "LSTM": [{}, {"proj_size": 2}],
    "GRU": [{}],
}


@dtypes
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "packed"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize(
    ("name", "extra"), [(name, extra) for name in RECURRENT for extra in RECURRENT[name]]
)
def test_recurrent(name, extra, num_layers, bidirectional, bias, lengths, dtype):
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    options = {"num_layers": num_layers, "bidirectional": bidirectional, "bias": bias, **extra}
    theirs = getattr(torch.nn, name)(I, H, batch_first=True, **options)
    ours, theirs = load(getattr(nn, name)(I, H, dtype=dtype, **options), theirs, dtype)
    output = extra.get("proj_size") or H
    rows = num_layers * (1 + bidirectional)
    x, h = normal(B, T, I, dtype=dtype), normal(rows, B, output, dtype=dtype)
    state = (h, normal(rows, B, H, dtype=dtype, seed=1)) if name == "LSTM" else h
    dy = normal(B, T, output * (1 + bidirectional), dtype=dtype, seed=2)
    dlast = (
        tuple(normal(*part.shape, dtype=dtype, seed=3) for part in state)
        if name == "LSTM"
        else normal(*h.shape, dtype=dtype, seed=3)
    )

    (y, last), backprop = ours(x, state, lengths=lengths)
    dx, dstate = backprop(dy, dlast)

    def parts(value: Any) -> list[Any]:
        return list(value) if isinstance(value, tuple) else [value]

    x_t, state_t = tensor(x), tuple(tensor(part) for part in parts(state))
    given = state_t if name == "LSTM" else state_t[0]
    if lengths is None:
        y_t, last_t = theirs(x_t, given)
    else:
        packed, last_t = theirs(
            pack_padded_sequence(x_t, lengths, batch_first=True, enforce_sorted=False), given
        )
        y_t, _ = pad_packed_sequence(packed, batch_first=True, total_length=T)
    loss = (y_t * torch.tensor(dy)).sum()
    for part, dpart in zip(parts(last_t), parts(dlast), strict=True):
        loss = loss + (part * torch.tensor(dpart)).sum()
    loss.backward()

    close(y, y_t, dtype, "y")
    for part, part_t in zip(parts(last), parts(last_t), strict=True):
        close(part, part_t, dtype, "state")
    close(dx, x_t.grad, dtype, "dx")
    for part, part_t in zip(parts(dstate), state_t, strict=True):
        close(part, part_t.grad, dtype, "dstate")
    same_gradients(ours, theirs, dtype)


@dtypes
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("name", "extra"),
    [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {})],
)
def test_cell(name, extra, bias, dtype):
    import torch

    theirs = getattr(torch.nn, name)(I, H, bias=bias, **extra)
    ours, theirs = load(getattr(nn, name)(I, H, bias=bias, dtype=dtype, **extra), theirs, dtype)
    x, h, dh = normal(B, I, dtype=dtype), normal(B, H, dtype=dtype), normal(B, H, dtype=dtype, seed=1)
    x_t, h_t = tensor(x), tensor(h)
    if name == "LSTMCell":
        c, dc = normal(B, H, dtype=dtype, seed=2), normal(B, H, dtype=dtype, seed=3)
        c_t = tensor(c)
        (h_1, c_1), backprop = ours(x, (h, c))
        dx, (dh_0, dc_0) = backprop((dh, dc))
        h_2, c_2 = theirs(x_t, (h_t, c_t))
        ((h_2 * torch.tensor(dh)).sum() + (c_2 * torch.tensor(dc)).sum()).backward()
        close(c_1, c_2, dtype)
        close(dc_0, c_t.grad, dtype)
    else:
        h_1, backprop = ours(x, h)
        dx, dh_0 = backprop(dh)
        h_2 = theirs(x_t, h_t)
        (h_2 * torch.tensor(dh)).sum().backward()
    close(h_1, h_2, dtype)
    close(dx, x_t.grad, dtype)
    close(dh_0, h_t.grad, dtype)
    same_gradients(ours, theirs, dtype)


@dtypes
@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (lambda d: nn.Linear(I, H, dtype=d), lambda t: t.Linear(I, H), (B, T, I)),
        (lambda d: nn.Linear(I, H, bias=False, dtype=d), lambda t: t.Linear(I, H, bias=False), (I,)),
        (lambda d: nn.LayerNorm(H, dtype=d), lambda t: t.LayerNorm(H), (B, T, H)),
        (
            lambda d: nn.LayerNorm(H, bias=False, eps=0.1, dtype=d),
            lambda t: t.LayerNorm(H, bias=False, eps=0.1),
            (B, H),
        ),
        (
            lambda d: nn.LayerNorm(H, elementwise_affine=False),
            lambda t: t.LayerNorm(H, elementwise_affine=False),
            (B, H),
        ),
        (lambda d: nn.ReLU(), lambda t: t.ReLU(), (B, T, I)),
        (lambda d: nn.GELU(), lambda t: t.GELU(), (B, T, I)),
        (lambda d: nn.GELU("tanh"), lambda t: t.GELU("tanh"), (B, T, I)),
        (lambda d: nn.SiLU(), lambda t: t.SiLU(), (B, T, I)),
        (lambda d: nn.Tanh(), lambda t: t.Tanh(), (B, T, I)),
        (lambda d: nn.Sigmoid(), lambda t: t.Sigmoid(), (B, T, I)),
        (
            lambda d: nn.Sequential(
                nn.Linear(I, H, dtype=d), nn.Sequential(nn.ReLU(), nn.Linear(H, 2, dtype=d))
            ),
            lambda t: t.Sequential(t.Linear(I, H), t.Sequential(t.ReLU(), t.Linear(H, 2))),
            (B, I),
        ),
    ],
)
def test_stateless(ours, theirs, shape, dtype):
    import torch

    ours, theirs = load(ours(dtype), theirs(torch.nn), dtype)
    x = 3 * normal(*shape, dtype=dtype)
    y, backprop = ours(x)
    dy = normal(*y.shape, dtype=dtype, seed=1)
    x_t = tensor(x)
    y_t = theirs(x_t)
    y_t.backward(torch.tensor(dy))
    close(y, y_t, dtype)
    close(backprop(dy), x_t.grad, dtype)
    same_gradients(ours, theirs, dtype)


@dtypes
@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_embedding(padding_idx, dtype):
    import torch

    theirs = torch.nn.Embedding(7, 4, padding_idx=padding_idx)
    ours, theirs = load(nn.Embedding(7, 4, padding_idx=padding_idx, dtype=dtype), theirs, dtype)
    x = np.array([[0, 2, 2, 6], [6, 6, 1, 2]])
    y, backprop = ours(x)
    dy = normal(*y.shape, dtype=dtype)
    y_t = theirs(tensor(x))
    y_t.backward(torch.tensor(dy))
    close(y, y_t, dtype)
    assert backprop(dy) is None
    same_gradients(ours, theirs, dtype)


SMOOTH = {"label_smoothing": 0.1}
LOSSES = [
    (nn.MSELoss, "MSELoss", {}),
    (nn.L1Loss, "L1Loss", {}),
    (nn.HuberLoss, "HuberLoss", {}),
    (nn.HuberLoss, "HuberLoss", {"delta": 0.4}),
    (nn.BCEWithLogitsLoss, "BCEWithLogitsLoss", {}),
    (nn.BCEWithLogitsLoss, "BCEWithLogitsLoss", {"pos_weight": [1.0, 2.0, 0.5, 3.0, 1.0]}),
    (nn.KLDivLoss, "KLDivLoss", {}),
    (nn.KLDivLoss, "KLDivLoss", {"log_target": True}),
    (nn.CrossEntropyLoss, "CrossEntropyLoss", {}),
    (nn.CrossEntropyLoss, "CrossEntropyLoss", SMOOTH),
    (nn.CrossEntropyLoss, "CrossEntropyLoss", {"ignore_index": 2}),
    (nn.CrossEntropyLoss, "CrossEntropyLoss", {"ignore_index": 2, **SMOOTH}),
]


@dtypes
@pytest.mark.parametrize(
    ("ours", "theirs", "options", "reduction"),
    [(*loss, reduction) for loss in LOSSES for reduction in loss[0].reductions],
)
def test_loss(ours, theirs, options, reduction, dtype):
    import torch

    p = 2 * normal(B, 5, dtype=dtype)
    t = np.random.default_rng(1).dirichlet(np.ones(5), B).astype(dtype)
    if options.get("log_target"):
        t = np.log(t)
    if theirs == "CrossEntropyLoss":
        t = np.array([0, 2, 4, 2])
    loss, backprop = ours(reduction=reduction, **options)(p, t)
    p_t = tensor(p)
    their_options = {
        key: torch.tensor(value, dtype=p_t.dtype) if key == "pos_weight" else value
        for key, value in options.items()
    }
    loss_t = getattr(torch.nn, theirs)(reduction=reduction, **their_options)(p_t, torch.tensor(t))
    dloss = normal(*np.shape(loss), dtype=dtype, seed=4) if np.ndim(loss) else 1.3
    loss_t.backward(torch.tensor(dloss, dtype=p_t.dtype))
    close(loss, loss_t, dtype)
    close(backprop(dloss), p_t.grad, dtype)


def test_a_file_from_pytorch_loads_as_it_is(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    theirs = torch.nn.Sequential(torch.nn.Embedding(9, 3), torch.nn.Linear(3, 9))
    theirs[1].weight = theirs[0].weight
    ours = nn.Sequential(nn.Embedding(9, 3), nn.Linear(3, 9))
    ours[1].weight = ours[0].weight
    ours.load_state_dict(theirs.state_dict())
    ours.load_state_dict(dict(theirs.named_parameters(remove_duplicate=False)))  # these ask for gradients
    np.testing.assert_array_equal(ours[1].weight.data, theirs[0].weight.detach().numpy())

    lstm = torch.nn.LSTM(2, 4, num_layers=2, bidirectional=True, proj_size=3)
    save_file(lstm.state_dict(), tmp_path / "lstm.safetensors")
    mine = nn.LSTM(2, 4, num_layers=2, bidirectional=True, proj_size=3)
    nn.load(mine, tmp_path / "lstm.safetensors")
    nn.save(mine, tmp_path / "back.safetensors")
    back = load_file(tmp_path / "back.safetensors")
    assert all(torch.equal(back[name], value) for name, value in lstm.state_dict().items())
    lstm.load_state_dict(back)


@pytest.mark.parametrize("shape", [(40, 60), (8, 9, 5)])
def test_initialisers_have_pytorchs_spread(shape):
    import torch

    for name in ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal"):
        theirs = torch.empty(400, *shape[1:]) if name != "orthogonal" else torch.empty(shape)
        options = {"nonlinearity": "relu"} if name.startswith("kaiming") else {}
        getattr(torch.nn.init, name + "_")(theirs, **options)
        ours = getattr(nn.init, name)(tuple(theirs.shape), rng=0)
        assert ours.std() == pytest.approx(theirs.numpy().std(), rel=0.05), name
