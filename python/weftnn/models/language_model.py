"""A language model over bytes: it predicts each byte of a text from all bytes before it.

    e_t      = embedding(x_t)
    h_t      = rnn(dropout(e_t), h_{t-1})
    logits_t = W dropout(h_t) + b
    p(x_{t+1} | x_1 ... x_t) = softmax(logits_t)

B batch, T time, V = 256 bytes, E embedding size, H hidden size, L layers.
x[B,T] int -> logits[B,T,V]; state: h[L,B,H] for RNN and GRU, (h[L,B,H], c[L,B,H]) for LSTM.

Source: Mikolov et al., "Recurrent neural network based language model", 2010; tied weights: Press and Wolf,
"Using the Output Embedding to Improve Language Models", 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from weftnn import nn
from weftnn.arguments import check_choice, check_count, check_number
from weftnn.models.byte_model import VOCABULARY, ByteModel, Reader, check_shape, check_table
from weftnn.nn.backprop import State, StatefulBackprop
from weftnn.nn.graph import GraphWriter, Node
from weftnn.nn.parameter import Array, Seed
from weftnn.nn.rows import lengths_of, without_padding

__all__ = ["LanguageModel"]

_CELLS: dict[str, type[nn.RNN] | type[nn.LSTM] | type[nn.GRU]] = {
    "rnn": nn.RNN,
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}
_GATES = {"rnn": 1, "lstm": 4, "gru": 3}
_PIECE = 1024  # of a long prompt: logits of all of it would take much memory


class LanguageModel(ByteModel):
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
    reads = "past"

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
        embedding_size = check_count(name, "embedding_size", embedding_size)
        hidden_size = check_count(name, "hidden_size", hidden_size)
        num_layers = check_count(name, "num_layers", num_layers)
        dropout = check_number(name, "dropout", dropout, low=0, below=1)
        if tie_weights and embedding_size != hidden_size:
            raise ValueError(
                f"{name}: tie_weights needs embedding_size = hidden_size = {hidden_size}, "
                f"got {embedding_size}"
            )
        self.config: dict[str, Any] = {
            "cell": cell,
            "embedding_size": embedding_size,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "dropout": dropout,
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
        lengths = lengths_of(self, x, lengths)
        embedded, back_embedding = self.embedding(without_padding(x, lengths))
        dropped, back_input_dropout = self.input_dropout(embedded)
        (hidden, state), back_rnn = self.rnn(dropped, state, lengths=lengths, resets=resets)
        kept, back_output_dropout = self.output_dropout(hidden)
        logits, back_head = self.head(kept)
        logits = without_padding(logits, lengths)

        def backward(dlogits: Array | None, dstate: State) -> tuple[None, State]:
            dhidden = None
            if dlogits is not None:
                dhidden = back_output_dropout(back_head(without_padding(dlogits, lengths)))
            ddropped, dstate = back_rnn(dhidden, dstate)
            back_embedding(back_input_dropout(ddropped))
            return None, dstate

        return (logits, state), StatefulBackprop(self, backward, logits, state)

    def predict(
        self, x: Array, state: State = None, *, lengths: Array | None = None, resets: Array | None = None
    ) -> tuple[Array, State]:
        lengths = lengths_of(self, x, lengths)
        embedded = self.embedding.predict(without_padding(x, lengths))
        hidden, state = self.rnn.predict(embedded, state, lengths=lengths, resets=resets)
        return without_padding(self.head.predict(hidden), lengths), state

    def graph(self, writer: GraphWriter) -> Node:
        return writer.sequence(self.embedding, self.rnn, self.head)

    def reader(self) -> Reader:
        state: State = None

        def read(ids: Array) -> Array:
            nonlocal state
            reached = state  # `state` goes on when all has been read
            for start in range(0, ids.shape[1], _PIECE):
                logits, reached = self.predict(ids[:, start : start + _PIECE], reached)
            state = reached
            last: Array = logits[:, -1]
            return last

        return read

    @classmethod
    def check_config(cls, config: dict[str, Any], tensors: dict[str, Array]) -> None:
        check_choice("config", "cell", config["cell"], tuple(_CELLS))
        check_choice("config", "dtype", config["dtype"], ("float32", "float64"))
        for name in ("embedding_size", "hidden_size", "num_layers"):
            check_count("config", name, config[name])
        if not isinstance(config["tie_weights"], bool):
            raise TypeError(f"config: tie_weights must be true or false, got {config['tie_weights']!r}")
        hidden = config["hidden_size"]
        check_table(tensors, config, config["embedding_size"])
        for layer in range(config["num_layers"]):
            check_shape(tensors, f"rnn.weight_hh_l{layer}", (_GATES[config["cell"]] * hidden, hidden))
