"""Models as C and C++ run them: `Model` over whole sequences, `Stream` a step at a time.

They are the objects of weft.hpp and read the same files, so what was tried here is what native code runs.
docs/native.md goes from a trained model to a linked program, docs/model_format.md says what stands in a file.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn import _core
from weftnn.arguments import check_count
from weftnn.files import Array, PathLike
from weftnn.nn.files import to_bytes
from weftnn.nn.layer import Layer
from weftnn.ops.arrays import refuse_masked
from weftnn.ragged import check_lengths
from weftnn.shortened import shortened

__all__ = ["Model", "Stream", "UnusedTensorsWarning"]


class UnusedTensorsWarning(UserWarning):
    """A model's file has tensors that its graph does not use: is it the file of another model?

    To refuse such files: `warnings.simplefilter("error", weftnn.UnusedTensorsWarning)`.
    """


class _Sizes:
    """What a model and its streams have in common."""

    _core: _core.Model32 | _core.Stream32

    @property
    def takes_tokens(self) -> bool:
        return self._core.takes_tokens

    @property
    def inputs(self) -> int:
        return self._core.inputs

    @property
    def outputs(self) -> int:
        return self._core.outputs

    def _signature(self) -> str:
        return f"{self.inputs} {'tokens' if self.takes_tokens else 'features'} -> {self.outputs}"


class Model(_Sizes):
    """An immutable model: a copy of a layer, or from a file that `nn.save`, a language model's `save` or the
    Trainer wrote.

    inputs: features of x, or the size of the vocabulary where it `takes_tokens`. outputs: features of y.
    dtype: of x and y, float32 or float64. context: the longest sequence that it is made for; 0: no limit.
    obstacle: why it cannot be stepped (a layer reads later steps), or "". unused_tensors: names of the
    tensors in its file that it does not use; usually there are none.

    The constructor raises ValueError where the layer has no native form.

    >>> from weftnn import nn
    >>> layer = nn.Sequential(nn.GRU(3, 4), nn.Linear(4, 2))
    >>> x = np.ones((8, 5, 3), np.float32)
    >>> bool((Model(layer).run(x) == layer.predict(x)[0]).all())
    True
    """

    _core: _core.Model32

    def __init__(self, layer: Layer) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"Model: layer must be a weftnn.nn.Layer, got {type(layer).__name__}")
        self._core = _parsed("Model", to_bytes(layer))  # by way of a file, so that it is what others load

    @classmethod
    def load(cls, path: PathLike) -> Model:
        """Reads a file. Raises OSError if it cannot be read, ValueError with the reason if it is broken or
        its model has no native form. Warns (UnusedTensorsWarning) where the file has tensors that the model
        does not use."""
        return cls._load(path, stacklevel=3)

    @classmethod
    def _load(cls, path: PathLike, stacklevel: int) -> Model:
        path = os.fspath(path)
        # What cannot be opened is said in Python's own words; a pipe would wait for a writer.
        os.close(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
        model = cls.__new__(cls)
        try:
            model._core = _core.load_model(os.fsencode(path))
        except _core.BadFile as error:
            raise ValueError(f"Model.load: {path}: {error.reason}") from None
        model._warn_of_unused_tensors(f"Model.load: {os.fsdecode(path)}", stacklevel + 1)
        return model

    @classmethod
    def parse(cls, file: bytes) -> Model:
        """The same from a file's bytes."""
        model = cls.__new__(cls)
        model._core = _parsed("Model.parse", file)
        model._warn_of_unused_tensors("Model.parse", stacklevel=3)
        return model

    def _warn_of_unused_tensors(self, where: str, stacklevel: int) -> None:
        if names := self.unused_tensors:
            warnings.warn(
                f"{where}: the file has tensors that its graph does not use, as if it were of another model: "
                f"{shortened(', '.join(names), 200)}",
                UnusedTensorsWarning,
                stacklevel=stacklevel,
            )

    @property
    def context(self) -> int:
        return self._core.context

    @property
    def obstacle(self) -> str:
        return self._core.obstacle

    @property
    def unused_tensors(self) -> tuple[str, ...]:
        return tuple(self._core.unused_tensors)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._core.dtype

    def run(self, x: npt.ArrayLike, lengths: npt.ArrayLike | None = None, threads: int = 0) -> Array:
        """y[B,T,outputs] of x[B,T,inputs] or tokens[B,T], from a state of zeros, as predict returns it.

        lengths: [B], how many steps of each row are valid; y is zero past a row's end, and nothing there is
            read. threads: the most to use; 0: get_num_threads().
        Raises ValueError for shapes and values that do not fit, TypeError for another dtype.
        """
        x = self._steps("Model.run", x)
        rows = None
        if lengths is not None and x.ndim > 1:  # else x is what will be refused
            rows = check_lengths("Model.run", lengths, *x.shape[:2])
        return self._core.run(x, rows, threads)

    def _steps(self, where: str, x: npt.ArrayLike) -> Array:
        refuse_masked(where, "x", x)
        return _integers(where, "x", x) if self.takes_tokens else np.asarray(x)

    def __repr__(self) -> str:
        return f"Model({self._signature()}, {self.dtype})"


class Stream(_Sizes):
    """A model together with the state of one sequence, which each step reads and updates.

    model: a Model, whose streams share its weights; or a layer or the path of a file, to make a Model of.
    capacity: how many steps since the last reset attention can hold; 0: the model's context, or 1024 where it
        has none. A model without attention and learned positions has no limit: its capacity is then 0.
    position: steps since the last reset. nbytes: memory of this stream alone.

    Several threads may use a stream: their calls run one after the other. Long calls let other threads run.
    Raises ValueError for a model that reads later steps, and for a capacity that does not fit it. Raises
    MemoryError if capacity is 0 and the memory would be more than both 256 MiB and 16 times the weights: a
    small file may name a thousand layers and a context of millions.

    >>> from weftnn import nn
    >>> stream = Stream(nn.GRU(3, 4))
    >>> for x in np.ones((5, 3), np.float32):
    ...     y = stream.step(x)
    >>> y.shape, stream.position
    ((4,), 5)
    """

    _core: _core.Stream32

    def __init__(self, model: Model | Layer | PathLike, capacity: int = 0) -> None:
        if not isinstance(model, Model):
            model = Model(model) if isinstance(model, Layer) else Model._load(model, stacklevel=3)
        self._core = model._core.stream(check_count("Stream", "capacity", capacity, low=0))

    def step(self, x: Array | int) -> Array:
        """y[outputs] of x[inputs], or of one token.

        Raises ValueError or TypeError for an x that does not fit, and RuntimeError when the capacity is used
        up; the state is then as it was.
        """
        return self._core.step(x)

    def process(self, x: npt.ArrayLike) -> Array:
        """y[n,outputs] of n steps x[n,inputs], or of n tokens.

        Raises what `step` raises; then none of the steps is done.
        """
        refuse_masked("Stream.process", "x", x)
        if self.takes_tokens:
            return self._core.process(_integers("Stream.process", "x", x))
        return self._core.process(np.ascontiguousarray(x))

    def reset(self) -> None:
        """Sets the state to zeros and forgets all earlier steps."""
        self._core.reset()

    def copy(self) -> Stream:
        """A second stream in the same state."""
        other = Stream.__new__(Stream)
        other._core = self._core.copy()
        return other

    def __copy__(self) -> Stream:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Stream:
        return self.copy()

    def assign(self, other: Stream) -> bool:
        """Copies the state of another stream; False, with nothing done, for another model or capacity."""
        return type(self._core) is type(other._core) and self._core.assign(other._core)

    @property
    def position(self) -> int:
        return self._core.position

    @property
    def capacity(self) -> int:
        return self._core.capacity

    @property
    def nbytes(self) -> int:
        return self._core.nbytes

    def __repr__(self) -> str:
        return f"Stream({self._signature()}, position={self.position})"


def _parsed(where: str, file: bytes) -> _core.Model32:
    try:
        return _core.parse_model(file)
    except _core.BadFile as error:
        raise ValueError(f"{where}: {error.reason}") from None


def _integers(where: str, name: str, values: npt.ArrayLike) -> Array:
    """int64 and contiguous. Raises TypeError for other numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{where}: {name} must be of integers, got dtype {array.dtype}")
    return np.ascontiguousarray(array, np.int64)
