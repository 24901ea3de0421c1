"""Trains the effect: a GRU of 12 units learns an amplifier from what goes in and what comes out.

    python train.py amplifier.safetensors

The amplifier is made up: a high-pass, a tanh that is driven hard, a low-pass. Of a real one you would record
the same two tracks. Takes some seconds.
"""

import sys

import numpy as np

from weftnn import Trainer, data, nn, optim

RATE = 44100


def one_pole(x, cutoff):
    """A low-pass: y_t = y_{t-1} + a (x_t - y_{t-1})."""
    a = 1 - np.exp(-2 * np.pi * cutoff / RATE)
    y = np.zeros_like(x)
    for t in range(1, x.shape[1]):
        y[:, t] = y[:, t - 1] + a * (x[:, t] - y[:, t - 1])
    return y


def amplifier(x):
    return one_pole(np.tanh(8 * (x - one_pole(x, 120))), 5000)


def signals(count, length, rng):
    """Chords that fade in and out, at any loudness."""
    t = np.arange(length) / RATE
    pitch = 80 * 2 ** rng.uniform(0, 4, (count, 3, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 3, 1))
    swell = np.sin(2 * np.pi * (rng.uniform(2, 20, (count, 1)) * t + rng.uniform(0, 1, (count, 1))))
    return rng.uniform(0.02, 0.5, (count, 1)) * swell * np.sin(2 * np.pi * pitch * t + phase).mean(axis=1)


def main(path):
    x = signals(256, 2048, np.random.default_rng(0))
    y = amplifier(x)
    # Pieces of 256 steps, without the first, at which the filters are still settling.
    pieces = [a[:, 256:].reshape(-1, 256, 1).astype(np.float32) for a in (x, y)]
    model = nn.Sequential(nn.GRU(1, 12, rng=0), nn.Linear(12, 1, rng=1))
    trainer = Trainer(model, nn.MSELoss(), optim.Adam(model.parameters(), lr=0.01))
    trainer.fit(data.ArrayDataset(pieces, batch_size=32), epochs=10)
    nn.save(model, path)
    y, _ = model.predict(pieces[0])
    # A piece begins with a state of zeros, as no listener's does: its first 64 steps do not count.
    error = np.mean((y - pieces[1])[:, 64:] ** 2) / np.mean(pieces[1][:, 64:] ** 2)
    print(f"{path}: {100 * error:.1f} % of the signal's energy is error")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "amplifier.safetensors")
