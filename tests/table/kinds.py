"""The kinds of rows in the table of cases.py, and how a row of each kind is run."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import weftnn.ops

Array = Any

# Arguments that change how a result is computed but not what it is.
MEANS_ONLY = ("checkpoint_every", "training")


@dataclass(frozen=True)
class Size:
    time: int = 4
    batch: int = 3
    input: int = 3
    hidden: int = 4
    projection: int = 2


def as_dtype(inputs: Mapping[str, Any], dtype: Any) -> dict[str, Any]:
    """The same inputs with every floating-point array in dtype."""
    return {
        name: value.astype(dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
        for name, value in inputs.items()
    }


def assert_same_bits(actual: Mapping[str, Array], expected: Mapping[str, Array], when: str = "") -> None:
    """Every expected array is there, equal to the bit (NaN equals NaN)."""
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=f"{name} {when}")


@dataclass(frozen=True)
class OpCase:
    """weftnn.ops.<op>_forward and <op>_backward against a plain function of the same arguments."""

    name: str
    op: str
    reference: Callable[..., Any]
    sample: Callable[[np.random.Generator, Size], dict[str, Any]]
    differentiable: tuple[str, ...] = ("x",)
    outputs: tuple[str, ...] = ("y",)

    def __str__(self) -> str:
        return self.name

    def inputs(self, size: Size | None = None, dtype: Any = np.float64, seed: int = 0) -> dict[str, Any]:
        """Arguments by name; another seed, other numbers. Float32 numbers: each dtype gets the same."""
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), seed])
        return as_dtype(as_dtype(self.sample(rng, size or Size()), np.float32), dtype)

    def learnable(self, inputs: Mapping[str, Any]) -> tuple[str, ...]:
        """The arguments that are there and have a gradient."""
        return tuple(name for name in self.differentiable if inputs.get(name) is not None)

    def forward(self, inputs: Mapping[str, Any], **options: Any) -> tuple[tuple[Array, ...], Any]:
        """(outputs, saved)"""
        *outputs, saved = getattr(weftnn.ops, f"{self.op}_forward")(**inputs, **options)
        return tuple(np.asarray(out) for out in outputs), saved

    def backward_as_is(self, saved: Any, douts: Sequence[Array], **options: Any) -> Any:
        """What <op>_backward returns: a NamedTuple, or dx alone."""
        given = dict(zip((f"d{name}" for name in self.outputs), douts, strict=True))
        return getattr(weftnn.ops, f"{self.op}_backward")(saved, **given, **options)

    def backward(self, saved: Any, douts: Sequence[Array], **options: Any) -> dict[str, Array]:
        """Gradients by argument name."""
        grads = self.backward_as_is(saved, douts, **options)
        if isinstance(grads, np.ndarray):
            return {self.differentiable[0]: grads}
        return {name.removeprefix("d"): grad for name, grad in zip(grads._fields, grads, strict=True)}

    def run(self, inputs: Mapping[str, Any], douts: Sequence[Array] | None = None) -> dict[str, Array]:
        """Every array that a forward and a backward give, by name: y, ..., dx, ..."""
        outputs, saved = self.forward(inputs)
        grads = self.backward(saved, self.douts(outputs) if douts is None else douts)
        named = {f"d{name}": grad for name, grad in grads.items() if grad is not None}
        return dict(zip(self.outputs, outputs, strict=True)) | named

    def expected(self, inputs: Mapping[str, Any]) -> tuple[Array, ...]:
        """The reference's outputs, computed in float64, or in complex128 where an input is complex."""
        meaning = {name: value for name, value in inputs.items() if name not in MEANS_ONLY}
        result = self.reference(**as_dtype(meaning, np.float64))
        return tuple(np.asarray(out) for out in (result if isinstance(result, tuple) else (result,)))

    def douts(self, outputs: Sequence[Array], seed: int = 0) -> tuple[Array, ...]:
        """Random gradients of the outputs, float32 numbers in the outputs' dtype."""
        rng = np.random.default_rng([7, seed])
        return tuple(np.asarray(rng.normal(size=out.shape), np.float32).astype(out.dtype) for out in outputs)


@dataclass(frozen=True)
class UpdateCase:
    """weftnn.ops.<op>_update, in place, against a plain function that returns the new values."""

    name: str
    op: str
    reference: Callable[..., dict[str, Array]]
    state: tuple[str, ...]  # the arrays beside param and grad
    options: dict[str, Any] = field(default_factory=dict)
    stepped: bool = False  # takes step=1, 2, ...

    def __str__(self) -> str:
        return self.name

    def arrays(self, shape: tuple[int, ...], dtype: Any) -> dict[str, Array]:
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        start = {name: np.zeros(shape, dtype) for name in self.state}
        return {"param": rng.normal(size=shape).astype(dtype), **start}

    def update(self, arrays: dict[str, Array], grad: Array, step: int) -> None:
        """Overwrites arrays."""
        options = {**self.options, **({"step": step} if self.stepped else {})}
        param, *state = arrays
        getattr(weftnn.ops, f"{self.op}_update")(
            arrays[param], grad, **{name: arrays[name] for name in state}, **options
        )

    def expected(self, arrays: dict[str, Array], grad: Array, step: int) -> dict[str, Array]:
        options = {**self.options, **({"step": step} if self.stepped else {})}
        wide = as_dtype(arrays, np.float64)
        return self.reference(wide.pop("param"), grad.astype(np.float64), **wide, **options)
