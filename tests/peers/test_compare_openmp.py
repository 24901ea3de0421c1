"""weft beside PyTorch in one process, each with threads of its own, whichever is imported first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compare
pytest.importorskip("torch")

PROGRAM = """
import os
import sys
import threading
import numpy as np
{imports}
from weftnn import nn

path = sys.argv[1]
torch.set_num_threads(2)
weftnn.set_num_threads(2)
rng = np.random.default_rng(0)
x = rng.normal(size=(32, 60, 24)).astype(np.float32)
theirs = torch.nn.GRU(24, 96, batch_first=True)
ours = nn.GRU(24, 96)
ours.load_state_dict({{name: tensor.numpy() for name, tensor in theirs.state_dict().items()}})
nn.save(ours, path)
model = weftnn.Model.load(path)
stream = weftnn.Stream(model)
with torch.no_grad():
    expected = theirs(torch.tensor(x))[0].numpy()


def check_ours():
    for y in (ours.predict(x)[0], model.run(x)):
        np.testing.assert_allclose(y, expected, atol=1e-5)
    stream.reset()
    np.testing.assert_allclose(stream.process(x[0]), expected[0], atol=1e-5)


def check_theirs():
    with torch.no_grad():
        np.testing.assert_allclose(theirs(torch.tensor(x))[0].numpy(), expected, atol=1e-6)
    a = torch.randn(300, 300, dtype=torch.float64)
    identity = torch.eye(300, dtype=torch.float64)
    torch.testing.assert_close(a @ torch.linalg.inv(a), identity, atol=1e-6, rtol=0)


for _ in range(5):  # in turn
    check_ours()
    check_theirs()
failures = []


def repeat(check):
    try:
        for _ in range(5):
            check()
    except BaseException as error:
        failures.append(error)


team = [threading.Thread(target=repeat, args=(check,)) for check in (check_ours, check_theirs)]  # at once
for thread in team:
    thread.start()
for thread in team:
    thread.join()
assert not failures, failures
child = os.fork()
if child == 0:  # weft starts threads anew; PyTorch is left alone
    check_ours()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("both are right")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork is for POSIX")
@pytest.mark.parametrize("imports", ["import torch\nimport weftnn", "import weftnn\nimport torch"])
def test_both_compute_and_nobody_hangs(imports: str, tmp_path: Path) -> None:
    program = PROGRAM.format(imports=imports)
    path = tmp_path / "model.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "both are right\n"
