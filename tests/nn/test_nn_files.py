"""Models in files: what save writes, load takes back, and only into the same model."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy

from weftnn import nn
from weftnn.files import write_safetensors


def model(**options) -> nn.Layer:
    return nn.Sequential(
        nn.Embedding(7, 3, rng=0), nn.LSTM(3, 4, bidirectional=True, rng=1, **options), nn.Linear(8, 7, rng=2)
    )


def test_save_and_load(tmp_path):
    source, target, x = model(), model(dtype=np.float32), np.array([[0, 3, 6]])
    for parameter in source.parameters():
        parameter.data[...] += 1
    nn.save(source, tmp_path / "m.safetensors", {"note": "ä"})
    assert nn.load(target, tmp_path / "m.safetensors") == {"note": "ä", **source.metadata()}
    np.testing.assert_array_equal(target.predict(x)[0], source.predict(x)[0])
    theirs = safetensors.numpy.load_file(tmp_path / "m.safetensors")
    assert theirs.keys() == source.state_dict().keys()
    assert "1.weight_hh_l0_reverse" in theirs


def test_the_callers_metadata_comes_first(tmp_path):
    layer = model()
    nn.save(layer, tmp_path / "m", {"weft": "{}"})
    assert nn.load(layer, tmp_path / "m") == {"weft": "{}"}


def test_tied_weights_survive(tmp_path):
    def make() -> nn.Sequential:
        encoder, decoder = nn.Embedding(5, 3), nn.Linear(3, 5)
        decoder.weight = encoder.weight
        return nn.Sequential(encoder, decoder)

    source, target = make(), make()
    nn.save(source, tmp_path / "m")
    nn.load(target, tmp_path / "m")
    assert target[0].weight is target[1].weight
    np.testing.assert_array_equal(target[1].weight.data, source[0].weight.data)
    for missing in ("0.weight", "1.weight"):  # as safetensors' save_model writes it
        other, state = make(), source.state_dict()
        del state[missing]
        write_safetensors(tmp_path / "once", state)
        nn.load(other, tmp_path / "once")
        np.testing.assert_array_equal(other[0].weight.data, source[0].weight.data)


def test_load_takes_another_float(tmp_path):
    source, target = nn.Linear(3, 2, dtype=np.float64, rng=0), nn.Linear(3, 2)
    nn.save(source, tmp_path / "m")
    nn.load(target, tmp_path / "m")
    np.testing.assert_array_equal(target.weight.data, source.weight.data.astype(np.float32))


def test_another_model_is_refused_and_nothing_changes(tmp_path):
    nn.save(model(), tmp_path / "m.safetensors")
    other = nn.Sequential(nn.Embedding(7, 3), nn.LSTM(3, 5), nn.Linear(5, 7))
    before = other.state_dict()
    with pytest.raises(
        ValueError, match=r"m\.safetensors is not of this model: .*unexpected 1\.weight_ih_l0_reverse"
    ):
        nn.load(other, tmp_path / "m.safetensors")
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_broken_file_is_refused_and_nothing_changes(tmp_path):
    source = model()
    path = tmp_path / "m.safetensors"
    nn.save(source, path)
    content = path.read_bytes()
    before = source.state_dict()
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match=r"m\.safetensors is not a whole and valid"):
            nn.load(source, path)
    path.write_bytes(content)
    for name, array in source.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(FileNotFoundError):
        nn.load(source, tmp_path / "none")


def test_not_of_numbers(tmp_path):
    write_safetensors(tmp_path / "m", {"weight": np.zeros((2, 3), np.complex64), "bias": np.zeros(2)})
    with pytest.raises(TypeError, match="weight must be of real numbers, got dtype complex64"):
        nn.load(nn.Linear(3, 2), tmp_path / "m")


def test_what_is_said_of_a_wrong_file_is_short(tmp_path):
    path = tmp_path / "m"
    write_safetensors(path, {f"{'long' * 20}{i}": np.zeros(1) for i in range(5000)})
    with pytest.raises(ValueError, match=r"missing weight.*unexpected long.*more characters") as error:
        nn.load(nn.Linear(3, 2), path)
    assert len(str(error.value)) < 1500
