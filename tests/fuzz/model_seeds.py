"""Writes the seeds of fuzz_model anew: python tests/fuzz/model_seeds.py. A seed is a model told in lines."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from weftnn import nn
from weftnn.files import read_safetensors

FOLDER = Path(__file__).parent / "corpus" / "model"
DTYPES = {np.dtype("f4"): "F32", np.dtype("f8"): "F64"}
MODELS: dict[str, nn.Layer] = {
    "linear": nn.Sequential(nn.Linear(2, 3), nn.GELU("tanh"), nn.Linear(3, 1, bias=False)),
    "rnn": nn.RNN(2, 3, nonlinearity="relu"),
    "gru": nn.Sequential(nn.Embedding(5, 2), nn.GRU(2, 3, 2), nn.Linear(3, 5)),
    "gru_double": nn.GRU(1, 2, reset_after=False, dtype=np.float64),
    "lstm": nn.LSTM(2, 4, bias=False, peephole=True, coupled=True, proj_size=2, zoneout=0.25),
    "bidirectional": nn.LSTM(2, 2, bidirectional=True),
    "attention": nn.MultiheadAttention(
        4, 2, num_kv_heads=1, causal=True, window=(2, -1), positions=nn.RotaryPositions(2)
    ),
    "relative": nn.MultiheadAttention(2, 2, causal=True, positions=nn.RelativePositions(2, 4, 8, False)),
    "obstacle": nn.MultiheadAttention(2, 1, positions=nn.ALiBi(1)),
    "transformer": nn.Sequential(
        nn.Embedding(3, 4),
        nn.LearnedPositions(4, 4),
        nn.TransformerEncoderLayer(4, 2, 2, activation="swiglu", norm_first=True, causal=True),
        nn.SinusoidalPositions(4),
    ),
}


def description(path: Path) -> str:
    arrays, metadata = read_safetensors(path)
    lines = [json.dumps(json.loads(metadata["weft"]), separators=(",", ":"))]
    for name, array in arrays.items():
        lines.append(" ".join([name, DTYPES[array.dtype], *map(str, array.shape)]))
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        for name, layer in MODELS.items():
            nn.save(layer, path)
            (FOLDER / name).write_text(description(path))
        long_name = {"op": "linear", "weight": "a" + 100 * "é"}  # a message cuts it, between two characters
        text = json.dumps({"format": 1, "graph": long_name}, ensure_ascii=False)
        (FOLDER / "long_name").write_text(text, encoding="utf-8")
        text = json.dumps({"format": 1, "graph": {"op": "linear", "weight": "w"}}, separators=(",", ":"))
        (FOLDER / "unused").write_text(f'{text}\nw F32 2 3\nb"\\é F32 2', encoding="utf-8")
        nn.save(nn.RNN(1, 2, bias=False, rng=0), path)
        (FOLDER / "file").write_bytes(path.read_bytes())
