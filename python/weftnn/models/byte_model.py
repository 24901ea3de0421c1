"""ByteModel: what every language model over bytes can do: draw text, save itself and be loaded.

    p(x_{t+1} | x_1 ... x_t) = softmax(logits_t)                x[B,T] int, 0 to 255 -> logits[B,T,256]

A file is the weights as `.safetensors`, with the class's name and the constructor's arguments beside them.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np

from weftnn import nn
from weftnn.files import read_safetensors
from weftnn.models.sampling import sample
from weftnn.nn.graph import FORMAT, describe
from weftnn.nn.parameter import Array, Seed
from weftnn.shortened import shortened
from weftnn.train.checkpoint import model_file

__all__ = ["VOCABULARY", "ByteModel", "Reader", "check_shape", "check_table", "find_model"]

VOCABULARY = 256

Model = TypeVar("Model", bound="ByteModel")
Reader: TypeAlias = Callable[[Array], Array]


class ByteModel(nn.Layer):
    """Base of LanguageModel and GPT; `ByteModel.load(path)` gives whichever of them a file holds.

    config: the constructor's arguments but rng, fit for JSON.

    >>> import tempfile
    >>> from weftnn.models import GPT
    >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> GPT(hidden_size=8, num_layers=1, num_heads=2, rng=0).save(path)
    >>> type(ByteModel.load(path)).__name__
    'GPT'
    """

    config: dict[str, Any]
    context: int = 0  # the most bytes that it can see at once; 0: there is no limit

    def reader(self) -> Reader:
        """A function that is given a text piece by piece, ids[B,T] of any T >= 1, and gives logits[B,256] of
        the byte after each piece. It remembers what it has read."""
        raise NotImplementedError

    @classmethod
    def check_config(cls, config: dict[str, Any], tensors: dict[str, Array]) -> None:
        """Refuses a file's config that makes no model, or one larger than the file's weights."""
        raise NotImplementedError

    def generate(
        self,
        prompt: bytes = b"\n",
        *,
        rng: Seed = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> Iterator[int]:
        """Yields bytes that continue the prompt, without end. A byte costs the same however long the text is.

        Raises ValueError for an empty prompt and for settings that `sampling.sample` refuses.

        >>> from itertools import islice
        >>> from weftnn.models import LanguageModel
        >>> model = LanguageModel(hidden_size=8, rng=0)
        >>> len(bytes(islice(model.generate(b"The ", rng=0, top_k=5), 10)))
        10
        """
        if not prompt:
            raise ValueError(f"{type(self).__name__}.generate: prompt must hold at least one byte, got none")
        generator = np.random.default_rng(rng)
        read = self.reader()
        logits = read(np.frombuffer(prompt, dtype=np.uint8)[None])
        while True:
            token = sample(logits, generator, temperature=temperature, top_k=top_k, top_p=top_p)
            yield int(token[0])
            logits = read(token[:, None])

    def metadata(self) -> dict[str, str]:
        """The metadata of the model file: its graph, and what is needed to build the model again."""
        description = describe(self) | {"model": type(self).__name__, "config": self.config}
        if self.context:
            description["context"] = self.context
        return {"weft": json.dumps(description, sort_keys=True)}

    def save(self, path: str | Path) -> None:
        """Write weights and configuration into one `.safetensors`, whole or not at all."""
        nn.save(self, path, metadata=self.metadata())

    @classmethod
    def load(cls: type[Model], path: str | Path) -> Model:
        """The model that `save` wrote; in a folder `model.safetensors`, in a training run's the best.

        Raises FileNotFoundError, or ValueError that names the file and what is wrong with it. Nothing larger
        than the file is built, whatever its configuration says.
        """
        path = find_model(Path(path))
        tensors, metadata = read_safetensors(path)
        try:
            kind, config = cls._parse(metadata)
            kind.check_config(config, tensors)
            model = kind(**config)
            model.load_state_dict(tensors)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{cls.__name__}.load: {path}: {shortened(str(error))}") from None
        return model

    @classmethod
    def _parse(cls: type[Model], metadata: dict[str, str]) -> tuple[type[Model], dict[str, Any]]:
        """The class and the arguments of its constructor, from a file's metadata."""
        if "weft" not in metadata:
            raise ValueError("not a model of weft (its metadata has no entry 'weft')")
        try:
            description = json.loads(metadata["weft"])
        except (ValueError, RecursionError) as error:
            raise ValueError(f"its description is not JSON: {error}") from None
        name = description.get("model") if isinstance(description, dict) else None
        if name not in [kind.__name__ for kind in ByteModel.__subclasses__()]:
            raise ValueError("not a language model of weft")
        kinds = {kind.__name__: kind for kind in (cls, *cls.__subclasses__())}
        if name not in kinds:
            raise ValueError(f"a {name}, not a {cls.__name__}: ByteModel.load takes both")
        if description.get("format") != FORMAT:
            raise ValueError(
                f"format must be {FORMAT}, got {description.get('format')!r}: written by a newer weft?"
            )
        kind, config = kinds[name], description.get("config")
        wanted = inspect.signature(kind).parameters.keys() - {"rng"}
        if not isinstance(config, dict) or config.keys() != wanted:
            raise ValueError(f"config must have the entries {', '.join(sorted(wanted))}, got {config!r:.200}")
        return kind, config


def find_model(path: Path) -> Path:
    """The model file that a path means: itself, or in a folder the model, the best one or the last."""
    if not path.is_dir():
        return path
    places = [path / "model.safetensors", *(model_file(path / place) for place in ("best", "last"))]
    return next((place for place in places if place.exists()), places[0])


def check_table(tensors: dict[str, Array], config: dict[str, Any], size: int) -> None:
    """Refuses a table of bytes that is not what the configuration says: the embedding's, or where it is tied
    the output's, since a tied weight may be in a file under either name."""
    name = "embedding.weight"
    if config["tie_weights"] and name not in tensors:
        name = "head.weight"
    check_shape(tensors, name, (VOCABULARY, size))


def check_shape(tensors: dict[str, Array], name: str, shape: tuple[int, ...]) -> None:
    """Refuses weights that are not what a configuration says: building it is safe where they are."""
    if name not in tensors:
        raise ValueError(f"the weight {name} that its configuration asks for is missing")
    if tensors[name].shape != shape:
        raise ValueError(f"{name} must be {shape} by its configuration, got {tensors[name].shape}")
