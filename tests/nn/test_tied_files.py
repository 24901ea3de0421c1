"""A tied weight may be in a file under one of its names alone: safetensors' save_model writes it once. Two
names with different values are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weftnn import nn, optim
from weftnn.data import ArrayDataset
from weftnn.files import read_safetensors, write_safetensors
from weftnn.models import GPT, ByteModel, LanguageModel
from weftnn.train import Trainer
from weftnn.train.checkpoint import read_checkpoint, write_checkpoint

NAMES = ("embedding.weight", "head.weight")
MODELS: dict[str, Callable[[int], ByteModel]] = {
    "LanguageModel": lambda rng: LanguageModel(
        "gru", embedding_size=8, hidden_size=8, tie_weights=True, rng=rng
    ),
    "GPT": lambda rng: GPT(hidden_size=8, num_layers=1, num_heads=2, tie_weights=True, rng=rng),
}
each_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
each_name = pytest.mark.parametrize("missing", NAMES)


@each_model
@each_name
def test_a_model_file(make: Callable[[int], ByteModel], missing: str, tmp_path: Path) -> None:
    model, path = make(0), tmp_path / "model.safetensors"
    model.save(path)
    tensors, metadata = read_safetensors(path)
    assert tensors.keys() >= set(NAMES)
    write_safetensors(path, {name: array for name, array in tensors.items() if name != missing}, metadata)
    loaded = ByteModel.load(path)
    for name, array in loaded.state_dict().items():
        np.testing.assert_array_equal(array, tensors[name])
    other = make(1)
    nn.load(other, path)
    np.testing.assert_array_equal(other.state_dict()[missing], tensors[missing])


@each_model
def test_neither_name_or_another_value(make: Callable[[int], ByteModel], tmp_path: Path) -> None:
    model, path = make(0), tmp_path / "model.safetensors"
    model.save(path)
    tensors, metadata = read_safetensors(path)
    write_safetensors(path, {**tensors, "head.weight": tensors["head.weight"] + 1}, metadata)
    with pytest.raises(ValueError, match="are one tied weight, but got different values"):
        ByteModel.load(path)
    write_safetensors(path, {name: a for name, a in tensors.items() if name not in NAMES}, metadata)
    with pytest.raises(ValueError, match=r"head\.weight .* is missing"):
        ByteModel.load(path)


def trainer(rng: int) -> Trainer:
    encoder, decoder = nn.Embedding(5, 3, rng=rng), nn.Linear(3, 5, rng=rng)
    decoder.weight = encoder.weight
    model = nn.Sequential(encoder, decoder)
    return Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))


@pytest.mark.parametrize("missing", ["0.weight", "1.weight"])
def test_a_checkpoint(missing: str, tmp_path: Path) -> None:
    x = np.arange(5)[:, None]
    first, second = trainer(0), trainer(1)
    first.fit(ArrayDataset((x, x), 2), epochs=1, progress=False, checkpoint_dir=tmp_path / "run")
    checkpoint = read_checkpoint(tmp_path / "run" / "last")
    del checkpoint.model[missing]
    write_checkpoint(tmp_path / "once", checkpoint)
    second.resume(tmp_path / "once")
    for name, array in second.model.state_dict().items():
        np.testing.assert_array_equal(array, first.model.state_dict()[name])
    checkpoint.model[missing] = first.model.state_dict()[missing] + 1
    write_checkpoint(tmp_path / "two", checkpoint)
    third = trainer(2)
    before = third.model.state_dict()
    with pytest.raises(ValueError, match="are one tied weight, but got different values"):
        third.resume(tmp_path / "two")
    for name, array in third.model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
