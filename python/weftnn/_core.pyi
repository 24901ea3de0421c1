"""Types of the extension module: one section for each file of cpp/bindings."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

# ---- module.cpp ----

def version() -> str: ...
def available_isas() -> list[str]: ...
def isa() -> str: ...
def set_isa(name: str) -> None: ...
def num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...
def release_memory() -> int: ...

# ---- recurrent.cpp ----

class RecurrentSaved:
    @property
    def operation(self) -> str: ...
    @property
    def nbytes(self) -> int: ...
    def backward(
        self,
        dy: Array | None,
        dh_n: Array | None,
        dc_n: Array | None,
        need_dx: bool,
        accumulate: tuple[Array | None, ...],
        /,
    ) -> tuple[Any, ...]: ...

recurrent_arguments: tuple[str, ...]
recurrent_results: tuple[str, ...]
recurrent_accumulated: tuple[str, ...]
recurrent_gradients: tuple[str, ...]

def recurrent_cells() -> list[str]: ...
def recurrent_forward(call: tuple[Any, ...], /) -> tuple[Any, ...]: ...  # a RecurrentCall
def recurrent_forward_all(calls: list[Any], /) -> list[tuple[Any, ...]]: ...
def recurrent_backward_all(calls: list[tuple[Any, ...]], /) -> list[tuple[Any, ...]]: ...

# ---- additive_scores.cpp ----

def additive_scores_forward(q: Array, k: Array, weight: Array, /) -> Array: ...
def additive_scores_backward(
    q: Array, k: Array, weight: Array, dscores: Array, dweight: Array, /
) -> tuple[Array, Array]: ...

# ---- dense.cpp: leading axes folded into one ----

def linear_forward(x: Array, weight: Array, bias: Array | None, /) -> Array: ...
def linear_backward(
    x: Array, weight: Array, dy: Array, need_dx: bool, dweight: Array | None, dbias: Array | None, /
) -> Array | None: ...
def embedding_forward(indices: Array, weight: Array, /) -> Array: ...
def embedding_backward(indices: Array, dy: Array, dweight: Array, padding_index: int, /) -> None: ...

# ---- pointwise.cpp: rows, or C-contiguous arrays of any shape ----

def layer_norm_forward(
    x: Array, weight: Array | None, bias: Array | None, eps: float, /
) -> tuple[Array, Array, Array]: ...
def layer_norm_backward(
    x: Array,
    weight: Array | None,
    mean: Array,
    inverse_deviation: Array,
    dy: Array,
    need_dx: bool,
    dweight: Array | None,
    dbias: Array | None,
    /,
) -> Array | None: ...
def relu_forward(x: Array, /) -> Array: ...
def relu_backward(y: Array, dy: Array, /) -> Array: ...
def gelu_forward(x: Array, /) -> Array: ...
def gelu_backward(x: Array, dy: Array, /) -> Array: ...
def gelu_tanh_forward(x: Array, /) -> Array: ...
def gelu_tanh_backward(x: Array, dy: Array, /) -> Array: ...
def silu_forward(x: Array, /) -> Array: ...
def silu_backward(x: Array, dy: Array, /) -> Array: ...
def sigmoid_forward(x: Array, /) -> Array: ...
def sigmoid_backward(y: Array, dy: Array, /) -> Array: ...
def tanh_forward(x: Array, /) -> Array: ...
def tanh_backward(y: Array, dy: Array, /) -> Array: ...
def dropout_forward(x: Array, p: float, seed: int, offset: int, /) -> Array: ...
def dropout_backward(dy: Array, p: float, seed: int, offset: int, /) -> Array: ...

# ---- swiglu.cpp: leading axes folded into one ----

def swiglu_forward(x: Array, /) -> Array: ...
def swiglu_backward(x: Array, dy: Array, /) -> Array: ...

# ---- rotary.cpp ----

def rotary_forward(x: Array, cos: Array, sin: Array, interleaved: bool, out: Array | None, /) -> Array: ...
def rotary_backward(dy: Array, cos: Array, sin: Array, interleaved: bool, out: Array | None, /) -> Array: ...

# ---- loss.cpp ----

def softmax_cross_entropy_forward(
    logits: Array, targets: Array, weight: Array | None, ignore_index: int, label_smoothing: float, /
) -> tuple[Array, Array, float, float]: ...
def softmax_cross_entropy_backward(
    logits: Array,
    targets: Array,
    weight: Array | None,
    ignore_index: int,
    label_smoothing: float,
    normalizer: Array,
    scale: float,
    dlosses: Array | None,
    /,
) -> Array: ...

# ---- updates.cpp: C-contiguous arrays of one shape ----

def sgd_update(
    param: Array,
    grad: Array,
    velocity: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    weight_decay: float,
    maximize: bool,
    /,
) -> None: ...
def adam_update(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    max_v: Array | None,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    step: int,
    /,
) -> None: ...
def rmsprop_update(
    param: Array,
    grad: Array,
    square_avg: Array,
    momentum_buffer: Array | None,
    grad_avg: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    /,
) -> None: ...
def adagrad_update(
    param: Array,
    grad: Array,
    state_sum: Array,
    lr: float,
    eps: float,
    weight_decay: float,
    lr_decay: float,
    step: int,
    /,
) -> None: ...
def sum_of_squares(operation: str, argument: str, array: Array, /) -> float: ...
def scale(operation: str, array: Array, factor: float, /) -> None: ...

# ---- attention.cpp ----

class AttentionSaved:
    def weights(self, mean: bool) -> Array: ...
    def backward(
        self, dout: Array, dq: Array | None, dk: Array | None, dv: Array | None
    ) -> tuple[Array, Array, Array]: ...
    def add_bias_gradient(self, dout: Array, dbias: Array) -> None: ...

sdpa_arguments: tuple[str, ...]

def sdpa_forward(
    q: Array,
    k: Array,
    v: Array,
    bool_mask: Array | None,
    float_mask: Array | None,
    bias: Array | None,
    kv_lengths: Array | None,
    scale: float,
    softcap: float,
    from_end: bool,
    left: int,
    right: int,
    dropout: float,
    seed: int,
    offset: int,
    /,
) -> tuple[Array, Array, AttentionSaved]: ...

# ---- model.cpp: for float32 and for float64 ----

class Model32:
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def takes_tokens(self) -> bool: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def context(self) -> int: ...
    @property
    def obstacle(self) -> str: ...
    @property
    def unused_tensors(self) -> list[str]: ...
    def run(self, x: Array, lengths: Array | None, threads: int, /) -> Array: ...
    def stream(self, capacity: int, /) -> Stream32: ...

class Stream32:
    @property
    def position(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    @property
    def takes_tokens(self) -> bool: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def step(self, x: Array | int, /) -> Array: ...
    def process(self, x: Array, /) -> Array: ...  # C-contiguous
    def reset(self) -> None: ...
    def copy(self) -> Stream32: ...
    def assign(self, other: Stream32, /) -> bool: ...

Model64: TypeAlias = Model32
Stream64: TypeAlias = Stream32

class BadFile(ValueError):
    path: str
    reason: str

def load_model(path: bytes, /) -> Model32: ...
def parse_model(file: bytes, /) -> Model32: ...
