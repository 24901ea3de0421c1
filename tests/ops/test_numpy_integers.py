"""NumPy's integers are integers: whatever takes an int takes an np.uint8 and computes as with the int.

200 + 200 is 144 in np.uint8, and 3 * 100 is 44: the number that is used must be the one that was checked.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import weftnn
from weftnn import data, nn, optim
from weftnn.models import GPT, LanguageModel
from weftnn.models.evaluation import HeldOutText
from weftnn.models.held_out_windows import HeldOutWindows
from weftnn.models.sampling import sample
from weftnn.nn import init
from weftnn.train import Trainer

TEXT = np.arange(2000) % 256

# Made with integers that overflow as np.uint8 where they are added or multiplied.
LAYERS: dict[str, Callable[[Callable[[int], Any]], nn.Layer]] = {
    "RNN": lambda i: nn.RNN(i(200), i(100), i(2), rng=0),
    "LSTM": lambda i: nn.LSTM(i(4), i(100), i(2), proj_size=i(90), peephole=True, rng=0),
    "GRU": lambda i: nn.GRU(i(4), i(100), checkpoint_every=i(200), rng=0),
    "GRUCell": lambda i: nn.GRUCell(i(4), i(100), rng=0),
    "LSTMCell": lambda i: nn.LSTMCell(i(4), i(100), rng=0),
    "Linear": lambda i: nn.Linear(i(200), i(100), rng=0),
    "Embedding": lambda i: nn.Embedding(i(200), i(100), padding_idx=i(130), rng=0),
    "LayerNorm": lambda i: nn.LayerNorm(i(200)),
    "MultiheadAttention": lambda i: nn.MultiheadAttention(
        i(120), i(4), num_kv_heads=i(2), kdim=i(120), vdim=i(200), window=(i(200), i(200)), rng=0
    ),
    "AdditiveAttention": lambda i: nn.AdditiveAttention(i(200), i(200), i(100), rng=0),
    "BilinearAttention": lambda i: nn.BilinearAttention(i(200), i(100), rng=0),
    "FeedForward": lambda i: nn.FeedForward(i(100), i(200), activation="swiglu", rng=0),
    "TransformerEncoderLayer": lambda i: nn.TransformerEncoderLayer(i(100), i(4), i(200), rng=0),
    "Transformer": lambda i: nn.Transformer(i(100), i(4), i(1), i(1), i(200), rng=0),
    "SinusoidalPositions": lambda i: nn.SinusoidalPositions(i(200)),
    "LearnedPositions": lambda i: nn.LearnedPositions(i(200), i(200), rng=0),
    "RotaryPositions": lambda i: nn.RotaryPositions(i(200)),
    "ALiBi": lambda i: nn.ALiBi(i(200)),
    "RelativePositions": lambda i: nn.RelativePositions(i(4), i(200), i(250), rng=0),
    "LanguageModel": lambda i: LanguageModel("lstm", embedding_size=i(100), hidden_size=i(100), rng=0),
    "GPT": lambda i: GPT(hidden_size=i(100), num_heads=i(2), num_layers=i(1), context=i(200), rng=0),
}
SOURCES: dict[str, Callable[[Callable[[int], Any]], Any]] = {
    "Windows": lambda i: data.Windows(TEXT * 1.0, i(200), horizon=i(200), stride=i(9), batch_size=i(200)),
    "TextStream": lambda i: data.TextStream(TEXT, i(200), i(7), seed=i(255)),
    "ArrayDataset": lambda i: data.ArrayDataset((TEXT, TEXT), i(200), seed=i(255)),
    "RaggedBatches": lambda i: data.RaggedBatches(
        [[1.0]] * 300, [[1.0]] * 300, i(200), seed=i(255), pool=i(200)
    ),
    "HeldOutText": lambda i: HeldOutText(TEXT, streams=i(9), sequence_length=i(200), context=i(200)),
    "HeldOutWindows": lambda i: HeldOutWindows(TEXT, context=i(200), batch_size=i(200)),
}


@pytest.fixture(autouse=True)
def overflow_is_an_error() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def settings(value: Any) -> dict[str, Any]:
    """The plain attributes: numbers, words, tuples of them."""
    return {name: part for name, part in vars(value).items() if isinstance(part, int | float | str | tuple)}


@pytest.mark.parametrize("integer", [np.uint8, np.int64], ids=["uint8", "int64"])
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, integer: Any) -> None:
    usual, layer = LAYERS[name](int), LAYERS[name](integer)
    assert repr(layer) == repr(usual)
    assert layer.metadata() == usual.metadata()
    assert layer.state_dict().keys() == usual.state_dict().keys()
    for path, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, usual.state_dict()[path], err_msg=path)
    for (_, inner), (_, other) in zip(layer.named_layers(), usual.named_layers(), strict=True):
        assert str(settings(inner)) == str(settings(other))  # np.uint8(4) would be written so


@pytest.mark.parametrize("name", SOURCES)
def test_sources(name: str) -> None:
    usual, source = SOURCES[name](int), SOURCES[name](np.uint8)
    assert len(source) == len(usual)
    for batch, expected in zip(source.batches(1), usual.batches(1), strict=True):
        np.testing.assert_array_equal(batch.x, expected.x)
        np.testing.assert_array_equal(batch.y, expected.y)


def test_training() -> None:
    def trained(i: Callable[[int], Any]) -> Any:
        model = nn.Sequential(nn.GRU(1, 3, rng=0), nn.Linear(3, 1, rng=0))
        source = data.ArrayDataset((np.ones((300, 8, 1), "f4"), np.zeros((300, 8, 1), "f4")), 1)
        optimizer = optim.SGD(model.parameters(), lr=0.01)
        schedule = optim.CosineLR(i(250), i(200))
        trainer = Trainer(
            model,
            nn.MSELoss(),
            optimizer,
            schedule=schedule,
            accumulate=i(2),
            tbptt=(i(4), i(5)),
            clip_norm=i(1),
            seed=i(255),
        )
        trainer.fit(source, steps=i(140), validate_every=None, log_every=i(100), progress=False)
        return model.state_dict()

    for path, array in trained(np.uint8).items():
        np.testing.assert_array_equal(array, trained(int)[path])


def test_calls() -> None:
    before = weftnn.get_num_threads()
    weftnn.set_num_threads(np.uint8(1))
    assert weftnn.get_num_threads() == 1
    weftnn.set_num_threads(np.int64(before))
    assert nn.KeyValueCache(np.uint8(200)).capacity * 2 == 400
    shape = (np.uint8(20), np.uint8(20), np.uint8(20))
    np.testing.assert_array_equal(init.xavier_uniform(shape, rng=0), init.xavier_uniform((20, 20, 20), rng=0))
    assert sample(np.zeros(9), np.random.default_rng(0), top_k=np.uint8(1)) == 0
    assert nn.CrossEntropyLoss(ignore_index=np.uint8(200)).ignore_index == 200


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.Linear(True, 2), "Linear: in_features"),
        (lambda: nn.GRU(2, True), "GRUCell: hidden_size"),
        (lambda: nn.LSTM(2, 3, proj_size=False), "LSTM: proj_size"),
        (lambda: nn.GRU(2, 3, checkpoint_every=True), "GRU: checkpoint_every"),
        (lambda: nn.Embedding(2, 3, padding_idx=True), "Embedding: padding_idx"),
        (lambda: nn.Embedding(2, 3, padding_idx=1.0), "Embedding: padding_idx"),
        (lambda: nn.ALiBi(np.bool_(True)), "ALiBi: num_heads"),
        (lambda: nn.Dropout(True), "Dropout: p"),
        (lambda: nn.Transformer(4, 2, True), "Transformer: num_encoder_layers"),
        (lambda: nn.BilinearAttention(True, 2), "BilinearAttention: query_size"),
        (lambda: optim.StepLR(True), "StepLR: step_size"),
        (lambda: data.Windows(TEXT, True), "Windows: length"),
        (lambda: GPT(context=True), "GPT: context"),
        (lambda: HeldOutText(TEXT, context=True), "HeldOutText: context"),
        (lambda: sample(np.zeros(3), np.random.default_rng(0), top_k=True), "keep_top_k: k"),
        (lambda: sample(np.zeros(3), np.random.default_rng(0), temperature=True), "temperature"),
        (lambda: weftnn.set_num_threads(True), "set_num_threads: threads"),
        (lambda: init.zeros((2, True)), "zeros: shape"),
        (lambda: nn.MultiheadAttention(4, 2, window=(True, 0)), "MultiheadAttention: window"),
    ],
)
def test_bools_are_not_integers(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=rf"{message} must be "):
        call()
