"""History: what happened in training, record by record, to plot or to write as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from weftnn.files import replace_file

Record: TypeAlias = dict[str, float]

FIRST_COLUMNS = ("epoch", "step", "tokens", "seconds", "tokens_per_second", "lr")
NORM = "grad_norm"
VALIDATION = "validation_"  # before the name of what was measured on the validation data


def check_name(where: str, name: Any) -> str:
    """`name`, if a metric can have it: a record's own keys are taken, and a CSV file's header is one line.

    >>> check_name("Trainer", "step")
    Traceback (most recent call last):
    ValueError: Trainer: metrics must have names of their own, got 'step', which every record has
    """
    if not isinstance(name, str):
        raise TypeError(f"{where}: the names of metrics must be str, got {name!r:.80}")
    if name in (*FIRST_COLUMNS, "loss", NORM):
        raise ValueError(
            f"{where}: metrics must have names of their own, got {name!r}, which every record has"
        )
    if name.startswith(VALIDATION):
        raise ValueError(
            f"{where}: metrics must have names of their own, got {name!r}: so are called those of validation"
        )
    if not name.isprintable() or name != name.strip() or not name or set(name) & set(',;"'):
        raise ValueError(
            f"{where}: a metric's name must be text that can stand in the header of a CSV file, "
            f"got {name!r:.80}"
        )
    return name


@dataclass
class History:
    """Records in the order of the steps, and how training ended.

    A record holds epoch, step, tokens and seconds so far, tokens_per_second and lr, the means since the
    record before it (loss, metrics, grad_norm), and "validation_" before each name where it was validated
    then.

    stopped: why training ended: "epochs", "steps", "time", "patience", "callback", "interrupted" or
        "diverged".
    signal: the number of the signal that interrupted it, if one did. best: the best value of what was
        watched; best_step: its step. checkpoint: the folder of the last checkpoint.

    >>> history = History([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.5}])
    >>> history["loss"], history.last["step"]
    ([2.0, 1.5], 2)
    """

    records: list[Record] = field(default_factory=list)
    stopped: str | None = None
    signal: int | None = None
    best: float | None = None
    best_step: int | None = None
    checkpoint: Path | None = None

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it, or another signal that asks a process to end."""
        return self.stopped == "interrupted"

    @property
    def last(self) -> Record:
        """The last record; empty if there is none."""
        return self.records[-1] if self.records else {}

    @property
    def columns(self) -> list[str]:
        """Every name that occurs in a record: those that all have first, then the others as they came."""
        names = dict.fromkeys(name for record in self.records for name in record)
        return [name for name in FIRST_COLUMNS if name in names] + [
            name for name in names if name not in FIRST_COLUMNS
        ]

    def __getitem__(self, name: str) -> list[float]:
        """The values of one column, of the records that have it."""
        if self.records and name not in self.columns:
            raise KeyError(f"History: no column {name!r}; there are {', '.join(self.columns)}")
        return [record[name] for record in self.records if name in record]

    def __len__(self) -> int:
        return len(self.records)

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Writes all records to a CSV file, whole or not at all."""
        with replace_file(path) as file:
            file.write(csv_text(self.columns, self.records).encode())

    def plot(self, path: str | PathLike[str]) -> Path:
        """Draws each quantity over the steps, training and validation together, as PNG, SVG or PDF by the
        path; the file is written whole or not at all.

        Raises ImportError without matplotlib (the extra `plot`), ValueError if nothing was recorded.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(
                "History.plot: needs matplotlib; install it with pip install matplotlib"
            ) from error
        shown = [name for name in self._quantities() if name != NORM]
        if not shown:
            raise ValueError("History.plot: there is no record with a loss to plot")
        figure = Figure(figsize=(7, 3.2 * len(shown)), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, name in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
            for column, label in ((name, "training"), (VALIDATION + name, "validation")):
                points = [(record["step"], record[column]) for record in self.records if column in record]
                if points:
                    axes.plot(
                        *zip(*points, strict=True), label=label, marker="." if len(points) < 40 else None
                    )
            axes.set_xlabel("step")
            axes.set_ylabel(name.replace("_", " "))
            axes.grid(alpha=0.3)
            axes.legend()
        path, picture = Path(path), io.BytesIO()
        figure.savefig(picture, format=path.suffix[1:] or "png", dpi=150)
        with replace_file(path) as file:
            file.write(picture.getvalue())
        return path

    def _quantities(self) -> list[str]:
        names = dict.fromkeys(name.removeprefix(VALIDATION) for name in self.columns)
        return [name for name in names if name not in FIRST_COLUMNS]


def csv_text(columns: list[str], records: list[Mapping[str, Any]] | list[Record], header: bool = True) -> str:
    """Records as lines of CSV; what a record lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(records)
    return text.getvalue()
