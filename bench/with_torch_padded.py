"""PyTorch on a ragged batch as if it were full: all T steps are computed, those past a row's end for nothing.

dy is zero there, so that the gradients are right. y is looked at in valid places only, and the last state,
which is that of the padding, not at all.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import with_torch
from library import Runner
from problems.recurrent import Recurrent
from with_torch import set_threads, version

__all__ = ["build", "set_threads", "version"]


def build(case: Recurrent) -> Runner:
    dense = with_torch.recurrent(replace(case, ragged=False), case.arrays())

    def results() -> dict[str, Any]:
        found = dense.results()
        found["y"] = found["y"] * case.valid()
        return {name: array for name, array in found.items() if name not in ("h_n", "c_n")}

    return Runner(dense.run, results)
