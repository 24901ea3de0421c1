"""Outputs and gradients of ops against PyTorch, for every option that PyTorch has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn.ops
from gradcheck import relative_error

pytestmark = pytest.mark.compare
torch = pytest.importorskip("torch")
rnn_utils = pytest.importorskip("torch.nn.utils.rnn")

Array = Any
# PyTorch rounds too: twice our own bound in float32; in float64 it is the same as against the references.
TOLERANCE = {np.float64: 1e-12, np.float32: 4e-6}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float64", "float32"])
T, B, I, H, P = 11, 5, 7, 18, 6
LENGTHS = np.array([4, 11, 1, 7, 11])


def numbers(dtype: Any, *shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(dtype)


def tensor(array: Array, grad: bool = True) -> Any:
    return torch.tensor(array, requires_grad=grad and array.dtype.kind == "f")


def assert_close(actual: Array, right: Any, dtype: Any, name: str) -> None:
    assert actual.dtype == dtype, name
    assert relative_error(actual, right.detach().numpy()) <= TOLERANCE[dtype], name


# ---- recurrent ops --------------------------------------------------------------------------------------

KINDS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "rnn-tanh": (torch.nn.RNN, "rnn", {"nonlinearity": "tanh"}),
    "rnn-relu": (torch.nn.RNN, "rnn", {"nonlinearity": "relu"}),
    "lstm": (torch.nn.LSTM, "lstm", {}),
    "lstm-projection": (torch.nn.LSTM, "lstm", {"proj_size": P}),
    "gru": (torch.nn.GRU, "gru", {}),
}
NAMES = {
    "w_ih": "weight_ih",
    "w_hh": "weight_hh",
    "b_ih": "bias_ih",
    "b_hh": "bias_hh",
    "w_proj": "weight_hr",
}


@DTYPES
@pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("given_state", [True, False], ids=["state", "no-state"])
@pytest.mark.parametrize("kind", KINDS)
def test_recurrent(kind: str, given_state: bool, bias: bool, ragged: bool, dtype: Any) -> None:
    """A bidirectional layer of PyTorch's is two calls, one of them in reverse."""
    make, op, options = KINDS[kind]
    torch.manual_seed(1)
    layer = make(
        I, H, bias=bias, bidirectional=True, batch_first=True, dtype=getattr(torch, dtype.__name__), **options
    )
    state_size = P if "proj_size" in options else H
    x = numbers(dtype, B, T, I)
    initial = {"h0": numbers(dtype, 2, B, state_size)} if given_state else {}
    if given_state and op == "lstm":
        initial["c0"] = numbers(dtype, 2, B, H, seed=1)

    # PyTorch
    x_torch, states_torch = tensor(x), {name: tensor(value) for name, value in initial.items()}
    packed = x_torch
    if ragged:
        packed = rnn_utils.pack_padded_sequence(
            x_torch, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
        )
    states = tuple(states_torch.values())
    y, last = layer(packed, (states if op == "lstm" else states[0]) if states else None)
    if ragged:
        y = rnn_utils.pad_packed_sequence(y, batch_first=True)[0]
    right = [y, *(last if op == "lstm" else (last,))]
    douts = [numbers(dtype, *out.shape, seed=2) for out in right]
    torch.autograd.backward(right, [torch.tensor(d) for d in douts])

    # weft, a direction at a time
    dx = np.zeros_like(x)
    for direction, suffix in enumerate(("_l0", "_l0_reverse")):
        weights = {
            name: getattr(layer, theirs + suffix)
            for name, theirs in NAMES.items()
            if hasattr(layer, theirs + suffix)
        }
        arguments = {name: w.detach().numpy() for name, w in weights.items()}
        arguments |= {name: value[direction] for name, value in initial.items()}
        if "nonlinearity" in options:
            arguments["nonlinearity"] = options["nonlinearity"]
        lengths = LENGTHS if ragged else None
        forward, backward = (getattr(weftnn.ops, f"{op}_{way}") for way in ("forward", "backward"))
        y, *last, saved = forward(x, **arguments, lengths=lengths, reverse=direction == 1)
        half = slice(direction * state_size, (direction + 1) * state_size)
        assert_close(y, right[0][..., half], dtype, f"y{suffix}")
        for name, value, expected in zip(("h_n", "c_n"), last, right[1:], strict=False):
            assert_close(value, expected[direction], dtype, f"{name}{suffix}")
        grads = backward(saved, douts[0][..., half], *(dout[direction] for dout in douts[1:]))
        dx += grads.dx
        for name, w in weights.items():
            assert_close(getattr(grads, f"d{name}"), w.grad, dtype, f"d{name}{suffix}")
        for name, state in states_torch.items():
            assert_close(getattr(grads, f"d{name}"), state.grad[direction], dtype, f"d{name}{suffix}")
    assert_close(dx, x_torch.grad, dtype, "dx")


@DTYPES
@pytest.mark.parametrize("kind", KINDS)
def test_layers(kind: str, dtype: Any) -> None:
    """Two layers, both directions, weights by PyTorch's names, ragged: outputs and every gradient."""
    nn = pytest.importorskip("weftnn.nn")
    make, op, options = KINDS[kind]
    torch.manual_seed(2)
    options = options | {"num_layers": 2, "bidirectional": True}
    theirs = make(I, H, batch_first=True, dtype=getattr(torch, dtype.__name__), **options)
    ours = getattr(nn, op.upper())(I, H, dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict())
    x = numbers(dtype, B, T, I)
    sizes = [P if "proj_size" in options else H, *([H] if op == "lstm" else [])]
    state = tuple(numbers(dtype, 4, B, size, seed=3) for size in sizes)

    x_torch, state_torch = tensor(x), tuple(tensor(part) for part in state)
    packed = rnn_utils.pack_padded_sequence(
        x_torch, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    y_torch, last_torch = theirs(packed, state_torch if op == "lstm" else state_torch[0])
    y_torch = rnn_utils.pad_packed_sequence(y_torch, batch_first=True)[0]
    last_torch = last_torch if op == "lstm" else (last_torch,)
    dy, *dlast = (numbers(dtype, *out.shape, seed=4) for out in (y_torch, *last_torch))
    torch.autograd.backward([y_torch, *last_torch], [torch.tensor(d) for d in (dy, *dlast)])

    (y, last), backprop = ours(x, state if op == "lstm" else state[0], lengths=LENGTHS)
    dx, dstate = backprop(dy, tuple(dlast) if op == "lstm" else dlast[0])
    last, dstate = (last, dstate) if op == "lstm" else ((last,), (dstate,))
    assert_close(y, y_torch, dtype, "y")
    assert_close(dx, x_torch.grad, dtype, "dx")
    for part in range(len(sizes)):
        assert_close(last[part], last_torch[part], dtype, f"state {part}")
        assert_close(dstate[part], state_torch[part].grad, dtype, f"dstate {part}")
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert_close(parameter.grad, gradients[name].grad, dtype, name)


# ---- the other ops --------------------------------------------------------------------------------------

F = torch.nn.functional
POINTWISE: dict[str, tuple[str, dict[str, Any], Callable[..., Any]]] = {
    "relu": ("relu", {}, F.relu),
    "gelu": ("gelu", {}, F.gelu),
    "gelu-tanh": ("gelu", {"approximate": "tanh"}, F.gelu),
    "silu": ("silu", {}, F.silu),
    "sigmoid": ("sigmoid", {}, torch.sigmoid),
    "tanh": ("tanh", {}, torch.tanh),
}


@DTYPES
@pytest.mark.parametrize("name", POINTWISE)
def test_activations(name: str, dtype: Any) -> None:
    """From deep in one tail to deep in the other, and at zero, where relu's slope is a convention."""
    op, options, theirs = POINTWISE[name]
    x = np.concatenate([np.linspace(-30, 30, 4001), [0.0, -0.0, 1e-30, -1e-30, 200.0, -200.0]]).astype(dtype)
    x_torch = tensor(x)
    right = theirs(x_torch, **options)
    dy = numbers(dtype, *x.shape)
    right.backward(torch.tensor(dy))
    y, saved = getattr(weftnn.ops, f"{op}_forward")(x, **options)
    assert_close(y, right, dtype, "y")
    assert_close(getattr(weftnn.ops, f"{op}_backward")(saved, dy), x_torch.grad, dtype, "dx")


@DTYPES
@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias: bool, dtype: Any) -> None:
    arguments = [numbers(dtype, B, T, I), numbers(dtype, H, I), *([numbers(dtype, H)] if bias else [])]
    check_all(weftnn.ops.linear_forward, weftnn.ops.linear_backward, F.linear, arguments, dtype)


@DTYPES
@pytest.mark.parametrize("weights", [0, 1, 2])
def test_layer_norm(weights: int, dtype: Any) -> None:
    arguments = [3 * numbers(dtype, B, T, H) + 2, *(numbers(dtype, H, seed=n) for n in range(weights))]
    theirs = lambda x, *w: F.layer_norm(x, (H,), *w, eps=1e-4)  # noqa: E731
    ours = lambda *a: weftnn.ops.layer_norm_forward(*a, eps=1e-4)  # noqa: E731
    check_all(ours, weftnn.ops.layer_norm_backward, theirs, arguments, dtype)


def check_all(forward: Any, backward: Any, theirs: Any, arguments: list[Array], dtype: Any) -> None:
    tensors = [tensor(a) for a in arguments]
    right = theirs(*tensors)
    dy = numbers(dtype, *right.shape, seed=9)
    right.backward(torch.tensor(dy))
    y, saved = forward(*arguments)
    assert_close(y, right, dtype, "y")
    grads = backward(saved, dy)
    for index, (grad, given) in enumerate(zip(grads, tensors, strict=False)):
        assert_close(grad, given.grad, dtype, f"argument {index}")
    assert all(grad is None for grad in grads[len(tensors) :])


@DTYPES
@pytest.mark.parametrize("padding_idx", [None, 0, 5, -1])
def test_embedding(padding_idx: int | None, dtype: Any) -> None:
    weight, indices = numbers(dtype, 9, I), np.random.default_rng(0).integers(0, 9, (B, T))
    weight_torch = tensor(weight)
    right = F.embedding(torch.tensor(indices), weight_torch, padding_idx=padding_idx)
    dy = numbers(dtype, *right.shape)
    right.backward(torch.tensor(dy))
    y, saved = weftnn.ops.embedding_forward(indices, weight, padding_idx=padding_idx)
    np.testing.assert_array_equal(y, right.detach().numpy())
    assert_close(weftnn.ops.embedding_backward(saved, dy).dweight, weight_torch.grad, dtype, "dweight")


@DTYPES
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("ignore_index", [-100, 3])
def test_cross_entropy(ignore_index: int, label_smoothing: float, reduction: str, dtype: Any) -> None:
    """PyTorch wants its classes second."""
    logits, targets = 4 * numbers(dtype, B, T, H), np.random.default_rng(1).integers(0, H, (B, T))
    targets[0, :3] = ignore_index
    options: dict[str, Any] = {
        "label_smoothing": label_smoothing,
        "reduction": reduction,
        "ignore_index": ignore_index,
    }
    logits_torch = tensor(logits)
    right = F.cross_entropy(logits_torch.swapaxes(1, 2), torch.tensor(targets), **options)
    dloss = numbers(dtype, *right.shape) if reduction == "none" else np.asarray(1.7, dtype)
    right.backward(torch.tensor(dloss))
    loss, saved = weftnn.ops.softmax_cross_entropy_forward(logits, targets, **options)
    assert relative_error(loss, right.detach().numpy()) <= TOLERANCE[dtype]
    given = dloss if reduction == "none" else float(dloss)
    assert_close(weftnn.ops.softmax_cross_entropy_backward(saved, given), logits_torch.grad, dtype, "dlogits")


# ---- updates --------------------------------------------------------------------------------------------

ADAM = {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6}
ADAM_TORCH = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6}
UPDATES: dict[str, tuple[str, list[str], dict[str, Any], str, dict[str, Any]]] = {
    # name: our op, its state, its options; their optimizer, its options
    "sgd": ("sgd", [], {"lr": 0.1}, "SGD", {"lr": 0.1}),
    "sgd-decay": ("sgd", [], {"lr": 0.1, "weight_decay": 0.1}, "SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "sgd-maximize": ("sgd", [], {"lr": 0.1, "maximize": True}, "SGD", {"lr": 0.1, "maximize": True}),
    "sgd-momentum": ("sgd", ["velocity"], o := {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}, "SGD", o),
    "sgd-nesterov": ("sgd", ["velocity"], o := {"lr": 0.1, "momentum": 0.9, "nesterov": True}, "SGD", o),
    "adam": ("adam", ["m", "v"], ADAM, "Adam", ADAM_TORCH),
    "adam-decay": ("adam", ["m", "v"], ADAM | (o := {"weight_decay": 0.1}), "Adam", ADAM_TORCH | o),
    "adam-amsgrad": ("adam", ["m", "v", "max_v"], ADAM, "Adam", ADAM_TORCH | {"amsgrad": True}),
    "adamw": (
        "adam",
        ["m", "v"],
        ADAM | (o := {"weight_decay": 0.1}) | {"decoupled": True},
        "AdamW",
        ADAM_TORCH | o,
    ),
    "rmsprop": ("rmsprop", ["square_avg"], o := {"lr": 0.01, "alpha": 0.9, "eps": 1e-6}, "RMSprop", o),
    "rmsprop-momentum": (
        "rmsprop",
        ["square_avg", "momentum_buffer"],
        o := {"lr": 0.01, "alpha": 0.9, "eps": 1e-6, "momentum": 0.8, "weight_decay": 0.1},
        "RMSprop",
        o,
    ),
    "rmsprop-centred": (
        "rmsprop",
        ["square_avg", "grad_avg"],
        o := {"lr": 0.01, "alpha": 0.9, "eps": 1e-3},
        "RMSprop",
        o | {"centered": True},
    ),
    "adagrad": (
        "adagrad",
        ["state_sum"],
        o := {"lr": 0.1, "eps": 1e-8, "weight_decay": 0.1, "lr_decay": 0.2},
        "Adagrad",
        o,
    ),
}


@DTYPES
@pytest.mark.parametrize("name", UPDATES)
def test_updates(name: str, dtype: Any) -> None:
    """Ten steps, so that bias corrections and decays have gone some way."""
    op, state, options, theirs, their_options = UPDATES[name]
    param = numbers(dtype, 33, 5)
    param_torch = torch.tensor(param, requires_grad=True)
    optimizer = getattr(torch.optim, theirs)([param_torch], **their_options)
    states = {s: np.zeros_like(param) for s in state}
    for step in range(1, 11):
        grad = numbers(dtype, 33, 5, seed=step)
        param_torch.grad = torch.tensor(grad)
        optimizer.step()
        counted = {"step": step} if op in ("adam", "adagrad") else {}
        getattr(weftnn.ops, f"{op}_update")(param, grad, **states, **options, **counted)
        assert relative_error(param, param_torch.detach().numpy()) <= TOLERANCE[dtype], step
