"""The bits of every result: what a change of structure alone must leave as they are.

    python tests/digests.py > before.txt            # with the build before the change
    python tests/digests.py --against before.txt    # with the build after it; exits with 1 where bits differ

A line is an instruction set, a dtype, a row of the table at a size, and a digest of all arrays that it gives:
outputs and gradients of ops, of layers, parameters after updates, and what native models run and step.
Digests are of one machine: another may round NumPy's own sums differently.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path += [str(room) for room in Path(__file__).parent.iterdir() if room.is_dir()]

import nn_kinds
import weftnn
import weftnn.config
from attention_cases import ATTENTION
from cases import OPS, UPDATES
from kinds import Size
from native import NATIVE, STEPPED, steps, weighted
from nn_cases import CASES
from row_layers import LAYERS, results
from wide_models import WIDE

# Few rows and many, whole panels and remainders, of every instruction set.
SIZES = [
    Size(),
    Size(time=3, batch=6, input=35, hidden=67, projection=21),
    Size(time=3, batch=1, input=64, hidden=64, projection=32),
    Size(time=2, batch=37, input=35, hidden=130, projection=64),
]
DTYPES = (np.float32, np.float64)


def digest(arrays: Iterable[Any]) -> str:
    h = hashlib.sha256()
    for array in arrays:
        if array is not None:
            array = np.ascontiguousarray(array)
            h.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return h.hexdigest()[:20]


def rows(dtype: Any) -> Iterator[tuple[str, str]]:
    """(name, digest)"""
    for case in OPS:
        for size in SIZES[: 2 if case in ATTENTION else None]:
            made = case.run(case.inputs(size, dtype)).values()
            yield f"{case} {size.batch},{size.time},{size.input},{size.hidden}", digest(made)
    for update in UPDATES:
        arrays, rng = update.arrays((67,), dtype), np.random.default_rng(0)
        for step in (1, 2, 3):
            update.update(arrays, rng.normal(size=67).astype(dtype), step)
        yield f"update {update}", digest(arrays.values())
    for case in CASES:
        layer, x = case.build(dtype)
        fixed(layer)
        state = nn_kinds.initial_state(layer, x, case.options, np.random.default_rng(0))
        outputs, back = nn_kinds.run(layer, x, state, case.options)
        rng = np.random.default_rng(1)
        grads = back([rng.normal(size=y.shape).astype(y.dtype) for y in outputs])
        weights = [parameter.grad for parameter in layer.parameters()]
        yield f"layer {case.name}", digest([*outputs, *flat(grads), *weights])
    for name, make in LAYERS.items():
        for size in (64, 256):
            rng = np.random.default_rng(0)
            layer = make(size, {"dtype": dtype, "rng": rng})
            x, dy = (rng.normal(size=(33, 5, size)).astype(dtype) for _ in range(2))
            made = results(layer, x, dy)
            weights = [parameter.grad for parameter in layer.parameters()]
            yield f"layer {name} {size}", digest([*made.values(), *weights])
    for case in NATIVE:
        layer, x = weighted(case, dtype)
        fixed(layer)
        yield f"run {case.name}", digest([weftnn.Model(layer).run(x)])
        if case in STEPPED:
            yield f"step {case.name}", digest([steps(weftnn.Stream(layer), row) for row in x])
    for name, (layer, shape) in WIDE.items():
        if dtype == np.float32:
            x = np.random.default_rng(0).normal(size=shape).astype(dtype)
            yield f"run wide {name}", digest([weftnn.Model(layer).run(x)])
            if not weftnn.Model(layer).obstacle:
                yield f"step wide {name}", digest([steps(weftnn.Stream(layer), row) for row in x[:2]])


def fixed(layer: weftnn.nn.Layer) -> weftnn.nn.Layer:
    """The same weights in every run: a row of the table may draw them anew."""
    rng = np.random.default_rng(3)
    for parameter in layer.parameters():
        parameter.data[...] = rng.normal(0.1, 0.4, parameter.shape)
    return layer


def flat(nested: Any) -> Iterator[Any]:
    if isinstance(nested, list | tuple):
        for part in nested:
            yield from flat(part)
    else:
        yield nested


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", type=Path, metavar="FILE", help="digests of an earlier build")
    arguments = parser.parse_args()
    found = {}
    for isa in weftnn.config.available_isas():
        with weftnn.config.use_isa(isa):
            for dtype in DTYPES:
                for name, value in rows(dtype):
                    found[f"{isa} {np.dtype(dtype)} {name}"] = value
    if arguments.against is None:
        print("\n".join(f"{name}: {value}" for name, value in found.items()))
        return 0
    before = dict(line.rsplit(": ", 1) for line in arguments.against.read_text().splitlines())
    differ = [name for name in before if found.get(name) != before[name]]
    print("\n".join([*differ, f"{len(differ)} of {len(before)} differ"]))
    return int(bool(differ))


if __name__ == "__main__":
    sys.exit(main())
