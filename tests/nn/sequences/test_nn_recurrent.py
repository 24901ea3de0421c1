"""Recurrent layers: directions, stacks, cells, ragged rows, carried states, checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

from nn_cases import LENGTHS, RECURRENT, RESETS, B, H, I, T
from nn_kinds import Case, flat, initial_state, like, run
from recurrent_layers import CELLS, LAYERS, copy_weights, each_cell, inputs, make, rounding
from weftnn import nn


def states_at(state, index: int):
    """The state of one cell of a stack, in the form of a single layer's."""
    return (
        tuple(part[index : index + 1] for part in state)
        if isinstance(state, tuple)
        else state[index : index + 1]
    )


@each_cell
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_reverse_is_forward_over_reversed_rows(cell, lengths):
    """Outputs, states and gradients; the rows are reversed by hand, each up to its own end."""
    both = make(cell, bidirectional=True)
    forward = copy_weights(both, make(cell), "_l0")
    backward = copy_weights(both, make(cell), "_l0_reverse")
    ends = [T] * B if lengths is None else lengths

    def turn(array: np.ndarray) -> np.ndarray:
        turned = array.copy()
        for row, end in enumerate(ends):
            turned[row, :end] = array[row, :end][::-1]
        return turned

    rng = np.random.default_rng(1)
    x = inputs()
    state = initial_state(both, x, {}, rng)
    (y, last), backprop = both(x, state, lengths=lengths)
    (y_f, last_f), backprop_f = forward(x, states_at(state, 0), lengths=lengths)
    (y_b, last_b), backprop_b = backward(turn(x), states_at(state, 1), lengths=lengths)
    np.testing.assert_allclose(y, np.concatenate([y_f, turn(y_b)], axis=-1), **rounding())
    for whole, front, back in zip(flat(last), flat(last_f), flat(last_b), strict=True):
        np.testing.assert_allclose(whole, np.concatenate([front, back]), **rounding())

    dy, dlast = rng.normal(size=y.shape), like(last, rng)
    dx, dstate = backprop(dy, dlast)
    dx_f, dstate_f = backprop_f(dy[..., :H], states_at(dlast, 0))
    dx_b, dstate_b = backprop_b(turn(dy[..., H:]), states_at(dlast, 1))
    np.testing.assert_allclose(dx, dx_f + turn(dx_b), **rounding())
    for whole, front, back in zip(flat(dstate), flat(dstate_f), flat(dstate_b), strict=True):
        np.testing.assert_allclose(whole, np.concatenate([front, back]), **rounding())
    for name, parameter in forward.named_parameters():
        np.testing.assert_allclose(getattr(both, name).grad, parameter.grad, **rounding())
    for name, parameter in backward.named_parameters():
        np.testing.assert_allclose(getattr(both, name + "_reverse").grad, parameter.grad, **rounding())


@each_cell
def test_a_reverse_layer_sees_the_future(cell):
    """The first output of the reverse direction depends on the last step, and the forward one's does not."""
    layer, x = make(cell, bidirectional=True), inputs()
    y, _ = layer.predict(x)
    x[:, -1] += 1
    moved, _ = layer.predict(x)
    assert (y[:, 0, :H] == moved[:, 0, :H]).all()
    assert (y[:, 0, H:] != moved[:, 0, H:]).all()


@each_cell
@pytest.mark.parametrize("options", [{}, {"lengths": LENGTHS}, {"lengths": LENGTHS, "resets": RESETS}])
def test_the_combinator_is_the_bidirectional_layer(cell, options):
    layer = make(cell, bidirectional=True)
    both = nn.Bidirectional(
        copy_weights(layer, make(cell), "_l0"), copy_weights(layer, make(cell), "_l0_reverse")
    )
    x, rng = inputs(), np.random.default_rng(1)
    (y, last), backprop = layer(x, **options)
    (y_2, last_2), backprop_2 = both(x, **options)
    np.testing.assert_allclose(y_2, y, **rounding())
    for direction in (0, 1):
        for part, part_2 in zip(flat(states_at(last, direction)), flat(last_2[direction]), strict=True):
            np.testing.assert_allclose(part_2, part, **rounding())
    dy = rng.normal(size=y.shape)
    np.testing.assert_allclose(backprop_2(dy)[0], backprop(dy)[0], **rounding())


@each_cell
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stack_is_layer_after_layer(cell, bidirectional):
    stack = make(cell, num_layers=3, bidirectional=bidirectional)
    directions = 1 + bidirectional
    x = inputs()
    y, last = stack.predict(x, lengths=LENGTHS)
    lasts = []
    for depth in range(3):
        single = LAYERS[cell](x.shape[-1], H, bidirectional=bidirectional, dtype=np.float64)
        for suffix in ("", "_reverse")[:directions]:
            copy_weights(stack, single, f"_l{depth}{suffix}", f"_l0{suffix}")
        x, single_last = single.predict(x, lengths=LENGTHS)
        lasts.append(flat(single_last))
    np.testing.assert_array_equal(x, y)
    for part, parts in zip(flat(last), zip(*lasts, strict=True), strict=True):
        np.testing.assert_array_equal(part, np.concatenate(parts))


@each_cell
def test_a_layer_is_its_cell_step_after_step(cell):
    """Outputs to rounding, and the gradients of a loop of cells: backpropagation through time by hand."""
    layer, single = make(cell), CELLS[cell](I, H, dtype=np.float64)
    single.load_state_dict({name.removesuffix("_l0"): array for name, array in layer.state_dict().items()})
    x, rng = inputs(), np.random.default_rng(2)
    (y, last), backprop = layer(x)
    state, steps = None, []
    for t in range(T):
        state, step = single(x[:, t], state)
        steps.append(step)
        np.testing.assert_allclose(flat(state)[0], y[:, t], **rounding())
        predicted = single.predict(x[:, t], None) if t == 0 else None
        if predicted is not None:
            np.testing.assert_array_equal(flat(predicted)[0], flat(state)[0])
    for part, part_cell in zip(flat(last), flat(state), strict=True):
        np.testing.assert_allclose(part[0], part_cell, **rounding())

    dy = rng.normal(size=y.shape)
    dx, dstate = backprop(dy)
    dcell = None
    for t in reversed(range(T)):
        arriving = [np.zeros_like(part) for part in flat(state)] if dcell is None else list(flat(dcell))
        arriving[0] = arriving[0] + dy[:, t]
        dx_t, dcell = steps[t](tuple(arriving) if len(arriving) > 1 else arriving[0])
        np.testing.assert_allclose(dx_t, dx[:, t], **rounding())
    for part, part_cell in zip(flat(dstate), flat(dcell), strict=True):
        np.testing.assert_allclose(part[0], part_cell, **rounding())
    for name, parameter in single.named_parameters():
        np.testing.assert_allclose(parameter.grad, getattr(layer, name + "_l0").grad, **rounding())


PLAIN = [case for case in RECURRENT if case.x == (B, T, I) and "dropouts" not in case.name]


@pytest.mark.parametrize("case", PLAIN, ids=lambda case: case.name)
def test_ragged_rows_are_rows_by_themselves(case: Case):
    """y, states and dx of each row as if it came alone, without padding; the padding is NaN."""
    layer, x = case.build()
    rng = np.random.default_rng(3)
    state = initial_state(layer, x, {}, rng)
    padded = x.copy()
    for row, end in enumerate(LENGTHS):
        padded[row, end:] = np.nan
    outs, back = run(layer, padded, state, {"lengths": LENGTHS})
    douts = [rng.normal(size=out.shape) for out in outs]
    dx, *dstate = back(douts)
    gradients = {name: parameter.grad.copy() for name, parameter in layer.named_parameters()}
    layer.zero_grad()
    for row, end in enumerate(LENGTHS):
        alone = (
            tuple(part[:, row : row + 1] for part in state)
            if isinstance(state, tuple)
            else state[:, row : row + 1]
        )
        outs_1, back_1 = run(layer, x[row : row + 1, :end], alone, {})
        dx_1, *dstate_1 = back_1([douts[0][row : row + 1, :end], *[d[:, row : row + 1] for d in douts[1:]]])
        np.testing.assert_allclose(outs[0][row, :end], outs_1[0][0], **rounding())
        assert (outs[0][row, end:] == 0).all()
        np.testing.assert_allclose(dx[row, :end], dx_1[0], **rounding())
        assert (dx[row, end:] == 0).all()
        for part, part_1 in zip([*outs[1:], *dstate], [*outs_1[1:], *dstate_1], strict=True):
            np.testing.assert_allclose(part[:, row : row + 1], part_1, **rounding())
    for name, parameter in layer.named_parameters():
        np.testing.assert_allclose(parameter.grad, gradients[name], **rounding())


@each_cell
def test_several_sequences_in_a_row_are_sequences_in_rows(cell):
    """In both directions; also where a row's padding says reset."""
    layer = make(cell, num_layers=2, bidirectional=True)
    x = inputs(1, 9)
    resets = np.zeros((1, 9), bool)
    resets[0, [0, 3, 4, 7, 8]] = True  # sequences 0-2, 3, 4-6; past the end of 7 more resets
    y, _ = layer.predict(x, lengths=[7], resets=resets)
    for start, end in [(0, 3), (3, 4), (4, 7)]:
        alone, _ = layer.predict(x[:, start:end])
        np.testing.assert_allclose(y[:, start:end], alone, **rounding())
    assert (y[:, 7:] == 0).all()


@each_cell
def test_carried_state_continues_a_sequence(cell):
    layer, x = make(cell, num_layers=2), inputs()
    y, last = layer.predict(x)
    y_1, state = layer.predict(x[:, :2])
    y_2, state = layer.predict(x[:, 2:], state)
    np.testing.assert_array_equal(np.concatenate([y_1, y_2], axis=1), y)
    for part, carried in zip(flat(last), flat(state), strict=True):
        np.testing.assert_array_equal(carried, part)


@each_cell
def test_checkpoints_give_the_same_gradients(cell):
    x, grads = inputs(), []
    for every in (None, 1, 2, 100):
        layer = make(cell, num_layers=2, checkpoint_every=every)
        (y, _), backprop = layer(x, lengths=LENGTHS)
        dx, _ = backprop(np.ones_like(y))
        grads.append([dx, *(parameter.grad for parameter in layer.parameters())])
    for other in grads[1:]:
        for a, b in zip(grads[0], other, strict=True):
            np.testing.assert_allclose(a, b, **rounding())


# ---- sizes and strides ----


@each_cell
@pytest.mark.parametrize(("batch", "time"), [(0, 5), (3, 0), (0, 0)])
def test_empty_batches_and_sequences(cell, batch, time):
    layer = make(cell, num_layers=2, bidirectional=True)
    (y, last), backprop = layer(np.zeros((batch, time, I)), lengths=[0] * batch)
    dx, dstate = backprop(np.zeros_like(y), last)
    assert y.shape == (batch, time, 2 * H)
    assert dx.shape == (batch, time, I)
    assert all(part.shape == (4, batch, H) for part in flat(last) + flat(dstate))
    assert all((parameter.grad == 0).all() for parameter in layer.parameters())


@each_cell
def test_any_strides(cell):
    """Time-major arrays swapped, every second row, gradients that are slices: the same values."""
    layer = make(cell, bidirectional=True)
    x, rng = inputs(2 * B), np.random.default_rng(4)
    (y, _), backprop = layer(np.ascontiguousarray(x[::2]))
    dy = rng.normal(size=y.shape)
    dx, _ = backprop(dy)
    time_major = np.ascontiguousarray(x[::2].swapaxes(0, 1))
    wide = np.concatenate([dy, dy], axis=-1)
    for view in (x[::2], time_major.swapaxes(0, 1)):
        (y_view, _), backprop = layer(view)
        np.testing.assert_array_equal(y_view, y)
        np.testing.assert_array_equal(backprop(wide[..., : 2 * H])[0], dx)
