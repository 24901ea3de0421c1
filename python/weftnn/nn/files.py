"""Models in files: `save` writes a layer's parameters as `.safetensors`, `load` takes them back."""

from __future__ import annotations

from collections.abc import Mapping

from weftnn.files import PathLike, read_safetensors, safetensors_pieces, write_safetensors
from weftnn.nn.layer import Layer
from weftnn.nn.parameter import Array
from weftnn.shortened import shortened


def save(layer: Layer, path: PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write a layer's state_dict, and strings beside it, to a `.safetensors` file in place of an old one.

    The layer adds a string of its own, "weft": the graph that `Model::load` of the C++ library and
    `weftnn.Stream` run (docs/model_format.md), or the reason why there is none.

    A crash or a full disk leaves the old file as it was. All readers of safetensors can read it, PyTorch's
    too.
    Raises OSError if it cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from weftnn.nn import Linear
    >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> save(Linear(3, 2), path, {"task": "demo"})
    >>> load(Linear(3, 2), path)["task"]
    'demo'
    """
    write_safetensors(path, _arrays(layer), {**layer.metadata(), **(metadata or {})})


def to_bytes(layer: Layer) -> bytes:
    """What `save` writes, in memory."""
    return b"".join(safetensors_pieces(_arrays(layer), layer.metadata()))


def load(layer: Layer, path: PathLike) -> dict[str, str]:
    """Read a layer's parameters from a `.safetensors` file of weft or PyTorch; returns the file's metadata.

    The file may have a tied weight under one of its names only. Raises ValueError, with nothing changed, for
    a file that is broken or of another model, and OSError if it cannot be read.
    """
    tensors, metadata = read_safetensors(path)
    try:
        layer.load_state_dict(tensors)
    except ValueError as error:
        raise ValueError(f"load: {path} is not of this model: {shortened(str(error))}") from None
    return metadata


def _arrays(layer: Layer) -> dict[str, Array]:
    return {name: parameter.data for name, parameter in layer.all_parameters()}
