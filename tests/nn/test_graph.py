"""What layers say of themselves in a model file: every one of the table has a graph, by which what
predict does is computed, or says why it has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import gpt_cases
import reference_graph
from nn_cases import CASES
from nn_kinds import Case
from stacks import stacks
from weftnn import data, nn, optim, train
from weftnn.files import read_safetensors
from weftnn.models import GPT, LanguageModel
from weftnn.nn.graph import GraphWriter, NoNativeForm, describe

MEMORY = "it reads a memory beside its steps"
PART = "it is a part of attention, not a layer of a sequence"
OBSTACLES = {  # the layers without a native form, and why
    "AdditiveAttention": "it is made to read a memory",
    "BilinearAttention": "it is made to read a memory",
    "DotAttention": "it is made to read a memory",
    "TransformerDecoderLayer": MEMORY,
    "TransformerDecoder": MEMORY,
    "Transformer": "it reads two sequences",
    "MultiheadAttention": "with kdim or vdim it reads a memory beside its steps",
    "Bidirectional": "an embedding must come before it, not within it",
    "RotaryPositions": PART,
    "ALiBi": PART,
    "RelativePositions": PART,
    "Identity": "Identity defines predict, but no graph",  # the tests' own
}
TOLERANCE = 1e-12  # float64: sums of other orders


def graph_of(layer: nn.Layer) -> dict[str, Any]:
    graph: dict[str, Any] = json.loads(json.dumps(GraphWriter(layer).layer(layer), allow_nan=False))
    return graph


def predicted(layer: nn.Layer, x: np.ndarray) -> np.ndarray:
    """y alone, without any option of a call."""
    y = layer.predict(x)
    while isinstance(y, tuple):
        y = y[0]
    return y


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_graph_computes_what_predict_does_or_says_why_there_is_none(case: Case) -> None:
    layer, x = case.build()
    try:
        graph = graph_of(layer)
    except NoNativeForm as error:
        name, _, reason = str(error).partition(" has no native form: ")
        assert reason == OBSTACLES[name.partition(" (at ")[0]]
        return
    y = reference_graph.compute(graph, layer.state_dict(), x)
    np.testing.assert_allclose(y, predicted(layer, x), TOLERANCE, TOLERANCE)


def test_no_obstacle_is_stated_in_vain() -> None:
    stated = {str(describe(case.build()[0]).get("obstacle")).partition(" ")[0] for case in CASES}
    assert OBSTACLES.keys() <= stated


@settings(max_examples=150)
@given(stacks())
def test_random_stacks(made: tuple[nn.Layer, np.ndarray]) -> None:
    layer, x = made
    y = reference_graph.compute(graph_of(layer), layer.state_dict(), x)
    expected = predicted(layer, x)
    np.testing.assert_allclose(y, expected, 0, 1e-9 * np.abs(expected).max())  # layers magnify a rounding


@pytest.mark.parametrize("options", gpt_cases.KINDS, ids=str)
def test_gpt(options: dict[str, Any]) -> None:
    model, x = gpt_cases.make(**options), gpt_cases.TEXT[: gpt_cases.C][None]
    y = reference_graph.compute(graph_of(model), model.state_dict(), x)
    np.testing.assert_allclose(y, model.predict(x), TOLERANCE, TOLERANCE)
    assert json.loads(model.metadata()["weft"])["context"] == gpt_cases.C


@pytest.mark.parametrize(
    "options", [{"cell": "rnn"}, {"cell": "lstm", "num_layers": 2, "dropout": 0.3}], ids=str
)
def test_language_model(options: dict[str, Any]) -> None:
    model = LanguageModel(embedding_size=5, hidden_size=6, dtype="float64", rng=0, **options)
    x = gpt_cases.TEXT[None]
    y = reference_graph.compute(graph_of(model), model.state_dict(), x)
    np.testing.assert_allclose(y, predicted(model, x), TOLERANCE, TOLERANCE)
    assert "context" not in json.loads(model.metadata()["weft"])


def test_dropout_and_sequences_within_sequences_leave_no_trace() -> None:
    model = nn.Sequential(
        nn.Dropout(0.5),
        nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Tanh())),
        nn.GRU(3, 3, 2, dropout=0.5),
    )
    assert [node["op"] for node in graph_of(model)["layers"]] == [
        "linear",
        "activation",
        "recurrent",
        "recurrent",
    ]
    assert graph_of(nn.Sequential(nn.Dropout(0.5), nn.Tanh())) == {"op": "activation", "kind": "tanh"}


def test_a_tied_weight_has_one_name() -> None:
    encoder, decoder = nn.Embedding(6, 3), nn.Linear(3, 6)
    decoder.weight = encoder.weight
    graph = graph_of(nn.Sequential(encoder, decoder))
    assert graph["layers"][1]["weight"] == graph["layers"][0]["weight"] == "0.weight"


def test_the_obstacle_names_the_layer_and_its_path() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Residual(nn.DotAttention()))
    assert describe(model) == {
        "format": 1,
        "obstacle": "DotAttention (at 1.layer) has no native form: it is made to read a memory",
    }


def test_a_model_that_leaves_sizes_or_dtype_open_has_an_obstacle() -> None:
    mixed = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, dtype=np.float64))
    assert describe(mixed)["obstacle"].endswith("must be of one dtype, found float32 and float64")
    assert describe(nn.Sequential(nn.Tanh()))["obstacle"].endswith("must be of one dtype, found no weights")


class Doubled(nn.Linear):
    def predict(self, x: np.ndarray) -> np.ndarray:
        return 2 * super().predict(x)


class Squared(nn.Layer):
    def __init__(self) -> None:
        self.inner = nn.Linear(2, 2, rng=0)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.inner.predict(self.inner.predict(x))

    def graph(self, writer: GraphWriter) -> dict[str, Any]:
        return writer.sequence(self.inner, self.inner)


def test_layers_of_ones_own() -> None:
    """An inherited graph does not speak for another predict; one that is defined does."""
    assert describe(Doubled(2, 2))["obstacle"].endswith("Doubled defines predict, but no graph")
    layer, x = Squared(), np.ones((1, 3, 2), np.float32)
    y = reference_graph.compute(graph_of(layer), layer.state_dict(), x)
    np.testing.assert_allclose(y, layer.predict(x), 1e-6, 1e-6)


def test_a_graph_names_what_the_model_holds() -> None:
    with pytest.raises(ValueError, match=r"the model does not hold Parameter\(shape=\(2,\)"):
        GraphWriter(nn.Tanh()).node("scale", weight=nn.Parameter(np.ones(2)))


@pytest.mark.parametrize(
    "model", [GPT(hidden_size=8, num_heads=2), LanguageModel(hidden_size=8), nn.GRU(2, 3)]
)
def test_metadata_is_the_same_every_time(model: nn.Layer) -> None:
    text = model.metadata()["weft"]
    assert text == model.metadata()["weft"] == json.dumps(json.loads(text), sort_keys=True)


def test_files_say_it(tmp_path: Path) -> None:
    model = nn.Sequential(nn.GRU(2, 3), nn.Linear(3, 1))
    nn.save(model, tmp_path / "saved", {"note": "mine"})
    trainer = train.Trainer(model, nn.MSELoss(), optim.SGD(model.parameters()))
    batches = data.ArrayDataset((np.ones((2, 4, 2), np.float32), np.ones((2, 4, 1), np.float32)))
    trainer.fit(batches, epochs=1, validation=batches, checkpoint_dir=tmp_path, progress=False)
    for path in ("saved", "best/model.safetensors", "last/model.safetensors"):
        assert json.loads(read_safetensors(tmp_path / path)[1]["weft"]) == describe(model)


def test_a_model_without_native_form_is_saved_all_the_same(tmp_path: Path) -> None:
    model = nn.Transformer(4, 2, 1, 1, 4)
    nn.save(model, tmp_path / "m")
    assert "Transformer has no native form" in nn.load(model, tmp_path / "m")["weft"]
