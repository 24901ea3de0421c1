"""Checkpoints: what they hold, and which are refused."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from checkpoints import small_trainer, source, weights
from weftnn import nn, optim, train
from weftnn.train.checkpoint import read_checkpoint


def test_resume_refuses_the_checkpoint_of_another_model_and_changes_nothing(tmp_path: Path) -> None:
    small_trainer().save(tmp_path)
    for other, message in (
        (
            small_trainer(hidden=5),
            r"another model: it has 0\.weight_ih_l0 float32 \(12, 3\), here float32 \(15, 3\)",
        ),
        (small_trainer(layer=nn.LSTM), r"another model"),
        (small_trainer(make=optim.SGD), r"SGD: the state is of another optimizer, Adam"),
    ):
        before = weights(other)
        with pytest.raises(ValueError, match=message) as caught:
            other.resume(tmp_path)
        assert str(tmp_path) in str(caught.value)
        assert weights(other) == before and other.position.step == 0
    dropout = nn.Sequential(nn.GRU(3, 4, rng=0), nn.Linear(4, 1, rng=1), nn.Dropout(0.1, rng=0))
    with pytest.raises(ValueError, match="it has other layers that draw random numbers"):
        train.Trainer(dropout, nn.MSELoss(), optim.Adam(dropout.parameters())).resume(tmp_path)


def test_resume_refuses_another_cutting_in_mid_epoch(tmp_path: Path) -> None:
    trainer = small_trainer(tbptt=2)
    trainer.fit(source(), steps=2, checkpoint_dir=tmp_path, progress=False)
    with pytest.raises(ValueError, match="stands in the middle of an epoch"):
        small_trainer(tbptt=3).resume(tmp_path)


def test_resume_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Trainer\.resume: there is no checkpoint in"):
        small_trainer().resume(tmp_path)


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "config.json"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "missing"])
def test_resume_refuses_damaged_files(tmp_path: Path, name: str, damage: str) -> None:
    small_trainer().save(tmp_path)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"\x80\x04K\x01." * 20)
    other = small_trainer()
    before = weights(other)
    with pytest.raises((ValueError, FileNotFoundError), match=str(tmp_path)):
        other.resume(tmp_path)
    assert weights(other) == before


def test_config_that_lacks_something_is_refused(tmp_path: Path) -> None:
    small_trainer().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for key in ("position", "optimizer", "random", "stream", "meter", "watch", "history"):
        (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k != key}))
        with pytest.raises(ValueError, match=rf"Trainer\.resume: .* is damaged: KeyError\('{key}'\)"):
            small_trainer().resume(tmp_path)


def test_nothing_is_pickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("pickle")

    for name in ("dump", "dumps", "load", "loads", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    small_trainer().save(tmp_path)
    small_trainer().resume(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "training.safetensors",
    ]


def test_model_file_is_a_plain_safetensors_of_the_weights(tmp_path: Path) -> None:
    trainer = small_trainer()
    trainer.save(tmp_path)
    model = nn.Sequential(nn.GRU(3, 4, rng=7), nn.Linear(4, 1, rng=8))
    nn.load(model, tmp_path / "model.safetensors")
    assert [p.data.tobytes() for p in model.parameters()] == [
        p.data.tobytes() for p in trainer.model.parameters()
    ]


def test_a_folder_that_holds_another_run_is_refused_unless_overwritten(tmp_path: Path) -> None:
    small_trainer().fit(source(), epochs=2, checkpoint_dir=tmp_path, progress=False)
    other = small_trainer()
    with pytest.raises(FileExistsError, match=r"holds a run already; go on with it by trainer\.resume\("):
        other.fit(source(), epochs=1, checkpoint_dir=tmp_path, progress=False)
    other.fit(source(), epochs=1, checkpoint_dir=tmp_path, overwrite=True, progress=False)
    assert read_checkpoint(tmp_path / "last").config["position"]["epoch"] == 1
    other.fit(source(), epochs=2, checkpoint_dir=tmp_path, progress=False)  # its own run goes on


def test_best_is_not_replaced_by_a_worse_one_after_a_resume(tmp_path: Path) -> None:
    """The look at the end of a run may find the best; `last` was saved before it and does not know."""
    trainer = small_trainer()
    losses = iter([5.0, 1.0])
    trainer.evaluate = lambda source: {"loss": next(losses)}  # type: ignore[method-assign]
    trainer.fit(source(), steps=6, validation=source(), checkpoint_dir=tmp_path, progress=False)
    assert read_checkpoint(tmp_path / "best").config["best"] == 1.0
    again = small_trainer().resume(tmp_path)
    again.evaluate = lambda source: {"loss": 3.0}  # type: ignore[method-assign]
    history = again.fit(source(), epochs=3, validation=source(), checkpoint_dir=tmp_path, progress=False)
    assert read_checkpoint(tmp_path / "best").config["position"]["step"] == 6
    assert history.best == 1.0
