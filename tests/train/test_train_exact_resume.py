"""Exact resume: what goes on in a new process gives the bits of what was never stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from weftnn.train import checkpoint as module
from weftnn.train.checkpoint import read_checkpoint

# ---- exact resume ----------------------------------------------------------------------------------------


# Everything that has a state: dropout, moments, a plateau schedule, truncated BPTT with context, accumulation
# over segments, shifted text, metrics.
PROGRAM = """
import hashlib, json, sys
import numpy as np
import weftnn
from weftnn import data, nn, optim, train

weftnn.set_num_threads(1)  # enough for such small layers, and quicker where other work runs beside it
kind, folder, resume, limits = sys.argv[1], sys.argv[2], sys.argv[3] == "resume", json.loads(sys.argv[4])
text = bytes(np.random.default_rng(0).integers(97, 105, 700, dtype=np.uint8))
layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind]
model = nn.Sequential(
    nn.Embedding(256, 6, rng=1),
    layer(6, 8, 2, dropout=0.2, recurrent_dropout=0.1, zoneout=0.1, rng=2),
    nn.Dropout(0.3, rng=3),
    nn.Linear(8, 256, rng=4),
)
optimizer = {"rnn": optim.RMSprop, "lstm": optim.AdamW, "gru": optim.Adam}[kind](model.parameters(), lr=0.02)
trainer = train.Trainer(
    model,
    nn.CrossEntropyLoss(),
    optimizer,
    schedule=optim.PlateauLR(patience=0, factor=0.7, warmup_steps=10),
    clip_norm=1.0,
    accumulate=2,
    tbptt=(5, 12),
    metrics={"accuracy": train.accuracy},
    seed=9,
)
if resume:
    trainer.resume(folder)
history = trainer.fit(
    data.TextStream(text, 4, 32, seed=1),
    validation=data.TextStream(text[:200], 4, 32),
    checkpoint_dir=folder,
    log_every=3,
    log_csv=folder + "/log.csv",
    progress=False,
    **limits,
)
digest = hashlib.sha256()
for name, array in sorted(model.state_dict().items()):
    digest.update(array.tobytes())
for name, array in sorted(optimizer.state_dict()[0].items()):
    digest.update(array.tobytes())
timed = ("seconds", "tokens_per_second")
records = [{k: v for k, v in record.items() if k not in timed} for record in history.records]
csv = [line.split(",")[:3] for line in open(folder + "/log.csv")]
print(json.dumps({"digest": digest.hexdigest(), "records": records, "best": history.best, "csv": csv}))
"""


def in_new_process(*arguments: str, **options: Any) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_ten_epochs_are_five_and_five_in_a_new_process(kind: str, tmp_path: Path) -> None:
    whole = in_new_process(kind, str(tmp_path / "whole"), "new", '{"epochs": 10}')
    in_new_process(kind, str(tmp_path / "parts"), "new", '{"epochs": 5}')
    parts = in_new_process(kind, str(tmp_path / "parts"), "resume", '{"epochs": 10}')
    assert parts == whole


def test_resume_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    """13 updates of two segments each end inside a batch, inside an epoch."""
    whole = in_new_process("gru", str(tmp_path / "whole"), "new", '{"epochs": 3}')
    first = in_new_process("gru", str(tmp_path / "parts"), "new", '{"steps": 13}')
    position = read_checkpoint(tmp_path / "parts" / "last").config["position"]
    assert position["step"] == 13 and position["segment"] % 7 != 0  # 32 steps are 7 segments
    parts = in_new_process("gru", str(tmp_path / "parts"), "resume", '{"epochs": 3}')
    assert parts["digest"] == whole["digest"]
    assert parts["records"] == whole["records"] and parts["csv"] == whole["csv"]
    assert first["records"][-1]["step"] == 13  # the look at the end of the first part is no part of the whole


# ---- interrupted --------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT for a child")
def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """SIGINT to a training process: it ends by itself, and training can go on."""
    run = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "gru", str(run), "new", '{"epochs": 1000000}'],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        while not (module.exists(run / "last") and module.exists(run / "best")):
            assert child.poll() is None, child.communicate()
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate()
    assert child.returncode == 0, errors
    step = read_checkpoint(run / "last").config["position"]["step"]
    assert json.loads(output)["records"][-1]["step"] <= step
    after = in_new_process("gru", str(run), "resume", json.dumps({"steps": step + 3}))
    assert after["records"][-1]["step"] == step + 3
