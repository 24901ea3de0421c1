"""A language model over bytes: it predicts each byte of a text from all bytes before it.

    e_t = embedding(x_t);   h_t = rnn(dropout(e_t), h_{t-1});   logits_t = W dropout(h_t) + b
    p(x_{t+1} | x_1 ... x_t) = softmax(logits_t)

B batch, T time, V = 256 bytes, E embedding size, H hidden size, L layers.
x[B,T] int -> logits[B,T,V]; state: h[L,B,H] for RNN and GRU, (h[L,B,H], c[L,B,H]) for LSTM.

Source: Mikolov et al., "Recurrent neural network based language model", 2010; tied weights: Press and Wolf,
"Using the Output Embedding to Improve Language Models", 2017.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weft import nn
from weft.arguments import check_choice, check_count, check_number
from weft.files import read_safetensors
from weft.models.sampling import sample
from weft.nn.backprop import State, StatefulBackprop
from weft.nn.parameter import Array, Seed

__all__ = ["VOCABULARY", "LanguageModel", "find_model"]

VOCABULARY = 256
_CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
_FORMAT = 1
_PROMPT_CHUNK = 1024


class LanguageModel(nn.Layer):
    """p(next byte | all bytes before it): embedding, dropout, a stack of RNN, LSTM or GRU, dropout, linear.

    x[B,T] of any integer type, values 0 to 255, gives logits[B,T,256] and the state after the last byte,
    which the next call takes. `tie_weights` uses one matrix for the embedding and the output, so it needs
    embedding_size = hidden_size. Raises ValueError or TypeError for settings that make no model.

    >>> model = LanguageModel("gru", embedding_size=8, hidden_size=16, rng=0)
    >>> logits, state = model.predict(np.frombuffer(b"weft", np.uint8)[None])
    >>> logits.shape, state.shape
    ((1, 4, 256), (1, 1, 16))
    """

    stateful = True

    def __init__(
        self,
        cell: str = "gru",
        *,
        embedding_size: int = 128,
        hidden_size: int = 384,
        num_layers: int = 1,
        dropout: float = 0.0,
        tie_weights: bool = False,
        dtype: npt.DTypeLike = np.float32,
        rng: Seed = None,
    ) -> None:
        name = "LanguageModel"
        check_choice(name, "cell", cell, tuple(_CELLS))
        for size, value in (("embedding_size", embedding_size), ("hidden_size", hidden_size)):
            check_count(name, size, value)
        check_count(name, "num_layers", num_layers)
        check_number(name, "dropout", dropout, low=0, below=1)
        if tie_weights and embedding_size != hidden_size:
            raise ValueError(
                f"{name}: tie_weights needs embedding_size = hidden_size = {hidden_size}, "
                f"got {embedding_size}"
            )
        self.config: dict[str, Any] = {
            "cell": cell,
            "embedding_size": int(embedding_size),
            "hidden_size": int(hidden_size),
            "num_layers": int(num_layers),
            "dropout": float(dropout),
            "tie_weights": bool(tie_weights),
            "dtype": np.dtype(dtype).name,
        }
        generator = np.random.default_rng(rng)
        made: dict[str, Any] = {"dtype": dtype, "rng": generator}
        self.embedding = nn.Embedding(VOCABULARY, embedding_size, **made)
        self.input_dropout = nn.Dropout(dropout, rng=generator)
        between = dropout if num_layers > 1 else 0.0
        self.rnn = _CELLS[cell](embedding_size, hidden_size, num_layers, dropout=between, **made)
        self.output_dropout = nn.Dropout(dropout, rng=generator)
        self.head = nn.Linear(hidden_size, VOCABULARY, **made)
        if tie_weights:
            self.embedding.weight = self.head.weight

    def __call__(
        self, x: Array, state: State = None, *, lengths: Array | None = None, resets: Array | None = None
    ) -> tuple[tuple[Array, State], StatefulBackprop]:
        embedded, back_embedding = self.embedding(x)
        dropped, back_input_dropout = self.input_dropout(embedded)
        (hidden, state), back_rnn = self.rnn(dropped, state, lengths=lengths, resets=resets)
        kept, back_output_dropout = self.output_dropout(hidden)
        logits, back_head = self.head(kept)

        def backward(dlogits: Array | None, dstate: State) -> tuple[None, State]:
            dhidden = None if dlogits is None else back_output_dropout(back_head(dlogits))
            ddropped, dstate = back_rnn(dhidden, dstate)
            back_embedding(back_input_dropout(ddropped))
            return None, dstate

        return (logits, state), StatefulBackprop(self, backward, logits, state)

    def predict(
        self, x: Array, state: State = None, *, lengths: Array | None = None, resets: Array | None = None
    ) -> tuple[Array, State]:
        hidden, state = self.rnn.predict(self.embedding.predict(x), state, lengths=lengths, resets=resets)
        return self.head.predict(hidden), state

    def generate(
        self,
        prompt: bytes = b"\n",
        *,
        rng: Seed = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
    ) -> Iterator[int]:
        """Bytes that continue the prompt, without end; each costs the same, since the state is carried.

        Raises ValueError for an empty prompt and for settings that `sampling.sample` refuses.

        >>> from itertools import islice
        >>> model = LanguageModel(hidden_size=8, rng=0)
        >>> len(bytes(islice(model.generate(b"The ", rng=0, top_k=5), 10)))
        10
        """
        if not prompt:
            raise ValueError("LanguageModel.generate: prompt must hold at least one byte, got none")
        generator = np.random.default_rng(rng)
        ids = np.frombuffer(prompt, dtype=np.uint8)[None]
        state: State = None
        for start in range(0, ids.shape[1], _PROMPT_CHUNK):
            logits, state = self.predict(ids[:, start : start + _PROMPT_CHUNK], state)
        while True:
            token = sample(logits[:, -1], generator, temperature=temperature, top_k=top_k, top_p=top_p)
            yield int(token[0])
            logits, state = self.predict(token[:, None], state)

    def metadata(self) -> dict[str, str]:
        """What a model file says of itself: enough to build the model again."""
        description = {"format": _FORMAT, "model": "LanguageModel", "config": self.config}
        return {"weft": json.dumps(description, sort_keys=True)}

    def save(self, path: str | Path) -> None:
        """Write weights and configuration into one `.safetensors`, whole or not at all."""
        nn.save(self, path, metadata=self.metadata())

    @classmethod
    def load(cls, path: str | Path) -> LanguageModel:
        """The model that `save` wrote; in a folder `model.safetensors`, in a training run's the best.

        Raises FileNotFoundError, or ValueError that names the file and what is wrong with it. Nothing larger
        than the file is built, whatever its configuration says.
        """
        path = find_model(Path(path))
        tensors, metadata = read_safetensors(path)
        try:
            config = _parse(metadata)
            _check_sizes(config, tensors)
            model = cls(**config)
            model.load_state_dict(tensors)
        except (ValueError, TypeError) as error:
            raise ValueError(f"LanguageModel.load: {path}: {error}") from error
        return model


def find_model(path: Path) -> Path:
    """The model file that a path means: itself, or in a folder the model, the best one or the last."""
    if not path.is_dir():
        return path
    places = [path / place / "model.safetensors" for place in (".", "best", "last")]
    return next((place for place in places if place.exists()), places[0])


def _parse(metadata: dict[str, str]) -> dict[str, Any]:
    """The arguments of the constructor, from a file's metadata."""
    if "weft" not in metadata:
        raise ValueError("not a model of weft (its metadata has no entry 'weft')")
    try:
        description = json.loads(metadata["weft"])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its description is not JSON: {error}") from None
    if not isinstance(description, dict) or description.get("model") != "LanguageModel":
        raise ValueError("not a language model of weft")
    if description.get("format") != _FORMAT:
        raise ValueError(
            f"format must be {_FORMAT}, got {description.get('format')!r}: written by a newer weft?"
        )
    config = description.get("config")
    wanted = {"cell", "embedding_size", "hidden_size", "num_layers", "dropout", "tie_weights", "dtype"}
    if not isinstance(config, dict) or config.keys() != wanted:
        raise ValueError(f"config must have the entries {', '.join(sorted(wanted))}, got {config!r:.200}")
    check_choice("config", "cell", config["cell"], tuple(_CELLS))
    check_choice("config", "dtype", config["dtype"], ("float32", "float64"))
    for name in ("embedding_size", "hidden_size", "num_layers"):
        check_count("config", name, config[name])
    if not isinstance(config["tie_weights"], bool):
        raise TypeError(f"config: tie_weights must be true or false, got {config['tie_weights']!r}")
    return config


def _check_sizes(config: dict[str, Any], tensors: dict[str, Array]) -> None:
    """The weights that grow with the configuration have its sizes: building the model is then safe."""
    hidden = config["hidden_size"]
    _check_shape(tensors, "embedding.weight", (VOCABULARY, config["embedding_size"]))
    for layer in range(config["num_layers"]):
        _check_shape(tensors, f"rnn.weight_hh_l{layer}", (_GATES[config["cell"]] * hidden, hidden))


def _check_shape(tensors: dict[str, Array], name: str, shape: tuple[int, ...]) -> None:
    if name not in tensors:
        raise ValueError(f"the weight {name} that its configuration asks for is missing")
    if tensors[name].shape != shape:
        raise ValueError(f"{name} must be {shape} by its configuration, got {tensors[name].shape}")
