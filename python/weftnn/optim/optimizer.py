"""What every optimizer shares: the parameters, the arrays it keeps beside them, the penalties and the state.

A step is one fused kernel call a parameter: `step` walks the parameters, `_update` calls the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from weftnn.arguments import check_count, check_number

Array: TypeAlias = NDArray[Any]


@runtime_checkable
class HasGradient(Protocol):
    """What an optimizer needs of a parameter; `weftnn.nn.Parameter` has it."""

    @property
    def data(self) -> Array: ...

    @property
    def grad(self) -> Array | None: ...

    def zero_grad(self) -> None: ...


class Optimizer:
    """Base of the optimizers: a list of parameters and, beside each, the arrays named in `slots`.

    To write an optimizer, name its arrays in `slots` (they start as zeros) and write `_update`. That is told
    how often the parameter has been updated, this time included. Each parameter counts its own updates, as in
    PyTorch, so one whose first gradient comes late starts like the others. `steps` counts the calls of
    `step`.

    `l1` and `l2` add the gradients of the penalties l1 * sum|w| and l2/2 * sum w^2 to `.grad` before the
    update, after any clipping. A gradient that is None counts as zero and its parameter is left as it is.
    To maximise, take the gradient back negated: `backprop(-1.0)`.
    """

    slots: tuple[str, ...] = ()

    def __init__(
        self, parameters: Iterable[HasGradient], lr: float, *, l1: float = 0.0, l2: float = 0.0
    ) -> None:
        self.name = type(self).__name__
        self.parameters = _distinct(self.name, parameters)
        self.lr = check_number(self.name, "lr", lr, low=0)
        self.l1 = check_number(self.name, "l1", l1, low=0)
        self.l2 = check_number(self.name, "l2", l2, low=0)
        self.steps = 0
        self.updates = [0] * len(self.parameters)
        self.state: list[dict[str, Array]] = [
            {slot: np.zeros_like(parameter.data) for slot in self.slots} for parameter in self.parameters
        ]

    def step(self) -> None:
        """Updates every parameter in place from its `.grad`."""
        self.steps += 1
        penalised = self.l1 != 0.0 or self.l2 != 0.0
        for number, (parameter, state) in enumerate(zip(self.parameters, self.state, strict=True)):
            grad = parameter.grad
            if grad is None:
                continue
            if penalised:
                self._add_penalties(parameter.data, grad)
            self.updates[number] += 1
            self._update(parameter.data, grad, state, self.updates[number])

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrays that are unpickled out of band are read-only, and an update writes into them."""
        vars(self).update(state)
        for slots in self.state:
            for name, array in slots.items():
                slots[name] = np.require(array, requirements=["C", "A", "W"])

    def zero_grad(self) -> None:
        """Sets every parameter's gradient to zero."""
        for parameter in self.parameters:
            parameter.zero_grad()

    def _update(self, data: Array, grad: Array, state: dict[str, Array], step: int) -> None:
        """Updates a parameter. step: 1 at its first update."""
        raise NotImplementedError(f"{self.name}: _update must be written")

    def _add_penalties(self, data: Array, grad: Array) -> None:
        if self.l2:
            grad += data.dtype.type(self.l2) * data
        if self.l1:
            grad += data.dtype.type(self.l1) * np.sign(data)

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Copies of the arrays, named "<parameter's number>.<slot>", and the scalars (they fit into JSON).

        updates: how often each parameter was updated.
        """
        arrays = {
            f"{number}.{slot}": array.copy()
            for number, state in enumerate(self.state)
            for slot, array in state.items()
        }
        scalars = {"optimizer": self.name, "steps": self.steps, "updates": list(self.updates), "lr": self.lr}
        return arrays, scalars

    def load_state_dict(self, arrays: dict[str, Array], scalars: dict[str, Any]) -> None:
        """Takes back what `state_dict` gave; nothing changes unless all of it fits.

        A state without `updates` is from before each parameter had a count of its own: all had that of
        `steps`, and go on from it.
        Raises ValueError where it belongs to another optimizer or to other parameters, KeyError where
        something is missing, TypeError or ValueError for a count or a rate that is none.
        """
        if scalars.get("optimizer") != self.name:
            raise ValueError(f"{self.name}: the state is of another optimizer, {scalars.get('optimizer')}")
        mine = {f"{n}.{slot}": array for n, state in enumerate(self.state) for slot, array in state.items()}
        if mine.keys() != arrays.keys():
            lacking, strange = sorted(mine.keys() - arrays.keys()), sorted(arrays.keys() - mine.keys())
            raise ValueError(f"{self.name}: the state lacks {lacking} and has besides {strange}")
        for name, array in mine.items():
            if (array.shape, array.dtype) != (arrays[name].shape, arrays[name].dtype):
                raise ValueError(
                    f"{self.name}: state {name} must be {array.shape} {array.dtype}, "
                    f"got {arrays[name].shape} {arrays[name].dtype}"
                )
        where = f"{self.name}: state"
        lr = check_number(where, "lr", scalars["lr"], low=0)
        steps = check_count(where, "steps", scalars["steps"], low=0)
        updates = self._checked_updates(scalars.get("updates", [steps] * len(self.parameters)), steps)
        for name, array in mine.items():
            array[...] = arrays[name]
        self.steps, self.updates, self.lr = steps, updates, lr

    def _checked_updates(self, updates: Any, steps: int) -> list[int]:
        where = f"{self.name}: state"
        if not isinstance(updates, list) or len(updates) != len(self.parameters):
            raise ValueError(f"{where} updates must be {len(self.parameters)} counts, got {updates!r:.80}")
        counts = [check_count(where, f"updates[{n}]", count, low=0) for n, count in enumerate(updates)]
        if max(counts) > steps or steps >= 2**62:
            raise ValueError(
                f"{where} updates must be at most steps, and these below 2**62, got {max(counts)} and {steps}"
            )
        return counts


def _distinct(name: str, parameters: Iterable[HasGradient]) -> list[HasGradient]:
    """The parameters in their order, each once (tied weights come twice); refuses what is none."""
    distinct: dict[int, HasGradient] = {}
    for parameter in parameters:
        if isinstance(parameter, np.ndarray) or not isinstance(parameter, HasGradient):
            raise TypeError(
                f"{name}: parameters must be those of a layer (model.parameters()), "
                f"got {type(parameter).__name__}"
            )
        distinct[id(parameter)] = parameter
    if not distinct:
        raise ValueError(f"{name}: parameters must hold at least one parameter, got none")
    return list(distinct.values())
