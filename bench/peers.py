"""The libraries that weft is measured against: each is a file with_<name>.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec

from library import Case
from problems.recurrent import Recurrent


@dataclass(frozen=True)
class Peer:
    """What must be installed, and what it can do.

    avx2: the environment that keeps it from using more, where there is one. alone: that of one thread.
    """

    packages: tuple[str, ...]
    can: Callable[[Case], bool]
    avx2: dict[str, str] | None = None
    alone: dict[str, str] = field(default_factory=dict)

    def environment(self, threads: int, avx2: bool) -> dict[str, str]:
        """What its process needs to find."""
        chosen = [self.alone] * (threads == 1) + [self.avx2 or {}] * avx2
        names = {name for settings in chosen for name in settings}
        return {name: " ".join(settings.get(name, "") for settings in chosen).strip() for name in names}

    def missing(self) -> list[str]:
        return [package for package in self.packages if find_spec(package) is None]


def _ragged(case: Case) -> bool:
    return isinstance(case, Recurrent) and case.ragged


def _dense(case: Case) -> bool:
    return isinstance(case, Recurrent) and not case.ragged


def _inference(case: Case) -> bool:
    return isinstance(case, Recurrent) and not case.training and case.dtype == "float32"


_TORCH_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
WEFT = Peer(("weftnn",), lambda case: True, {"WEFT_ISA": "avx2"})
PEERS = {
    "torch": Peer(("torch",), lambda case: True, _TORCH_AVX2),
    "torch_padded": Peer(("torch",), _ragged, _TORCH_AVX2),
    "jax": Peer(
        ("jax",),
        _dense,
        {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
        {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"},
    ),
    "onnxruntime": Peer(("onnx", "onnxruntime"), _inference),
}
