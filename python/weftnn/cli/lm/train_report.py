"""What `weftnn lm train` prints: the plan before, the result and the next commands after."""

from __future__ import annotations

import sys
from contextlib import closing
from itertools import islice

import weftnn
from weftnn.cli.arguments import CommandError
from weftnn.cli.file_names import quoted, shown
from weftnn.cli.lm.corpus import Corpus
from weftnn.cli.lm.model_file import describe, load_model
from weftnn.cli.lm.resume import resume_command
from weftnn.cli.lm.run_folder import RunFolder
from weftnn.cli.lm.scoring import final_bytes, final_score, is_validated
from weftnn.cli.lm.train_settings import TrainSettings
from weftnn.cli.utf8_writer import Utf8Writer
from weftnn.config import get_isa
from weftnn.data import TextStream, Windows
from weftnn.files import replace_file
from weftnn.models import ByteModel
from weftnn.train import History, Trainer

__all__ = ["print_header", "print_interrupted", "print_result"]

_TEMPERATURE = 0.8


def print_header(
    settings: TrainSettings,
    corpus: Corpus,
    stream: TextStream | Windows,
    trainer: Trainer,
    total_steps: int | None,
    folder: RunFolder,
) -> None:
    """What is about to happen."""
    assert isinstance(trainer.model, ByteModel)
    held_out = "nothing held out" if corpus.held_out is None else f"{corpus.held_out.size:,} held out"
    lengths = []
    if total_steps is not None:
        passes = total_steps / len(stream)
        lengths.append(f"{total_steps:,} steps ({passes:.3g} passes through the text)")
    if settings.time_limit is not None:
        lengths.append(f"{settings.time_limit:g} s")
    begun = f"; {trainer.position.step:,} steps are done" if trainer.position.step else ""
    of = "windows" if isinstance(stream, Windows) else "streams"
    print(f"text      {corpus.texts['text']}")
    print(f"          {corpus.train.size:,} bytes to train on, {held_out}")
    print(f"model     {describe(trainer.model)}")
    print(f"training  {' or '.join(lengths)}{begun}")
    print(
        f"          a step is {settings.batch} {of} x {settings.sequence} bytes; {settings.optimizer}, "
        f"learning rate {settings.rate:g}, {settings.schedule}"
    )
    print(f"machine   {get_isa()}, {weftnn.get_num_threads()} threads")
    print(f"folder    {shown(folder.path)}", flush=True)


def print_interrupted(
    history: History, settings: TrainSettings, step: int, total_steps: int | None, folder: RunFolder
) -> None:
    """After Ctrl-C: where the best model is and how to go on."""
    of = f" of {total_steps:,}" if total_steps is not None else ""
    kept = _best(history) if folder.has_model else "No model is saved yet: resuming begins again."
    print(f"\nInterrupted at step {step:,}{of}. {kept}")
    print(f"Resume:    {resume_command(settings, folder)}")
    if folder.has_model:
        print(f"Sample:    weftnn lm sample {quoted(folder.path)}")


def print_result(history: History, settings: TrainSettings, corpus: Corpus, folder: RunFolder) -> None:
    """After training: the best model's measure and a sample of it, the files, and the commands that go on."""
    last, path = history.last, quoted(folder.path)
    rate = last["tokens"] / last["seconds"] if last["seconds"] else 0.0
    print(f"\nTrained {last['step']:,.0f} steps in {last['seconds']:.1f} s, {rate:,.0f} bytes/s.")
    model = load_model(str(folder.path))
    if corpus.held_out is not None:
        scored = final_bytes(model, corpus.held_out, int(last["tokens"]))
        bits = _validated(history) if is_validated(model, scored) else None
        if bits is None:
            bits = final_score(model, corpus.held_out[:scored], progress=not settings.quiet)
        step = f" (step {history.best_step:,})" if history.best_step is not None else ""
        part = "all" if scored == corpus.held_out.size else f"the first {scored:,} of"
        measure = f"{corpus.held_out.size:,} bytes held out: {bits:.4f} bits per byte"
        print(f"The best model{step}, on {part} {measure}")
    else:
        print(_best(history))
    files = ["best/model.safetensors", "log.csv"]
    if settings.sample_length:
        print(f"\nA sample, at temperature {_TEMPERATURE}:")
        _sample(model, settings, folder)
        files.append("sample.txt")
    files += _draw(history, folder)
    print(f"\nSaved in {shown(folder.path)}: {', '.join(files)}")
    more = "" if history.stopped == "time" else f" --steps {2 * int(last['step'])}"
    print(f"Continue:  {resume_command(settings, folder)}{more}")
    print(f'Sample:    weftnn lm sample {path} --prompt "The "')
    print(f"Evaluate:  weftnn lm eval {path} another.txt")


def _best(history: History) -> str:
    if history.best is None or history.best_step is None:
        return "Nothing was validated: the model is that of the last step."
    bits = _validated(history)
    measure = f", {bits:.4f} bits per byte held out" if bits is not None else ""
    return f"The best model is that of step {history.best_step:,}{measure}."


def _validated(history: History) -> float | None:
    """Bits per byte of the best model when it was validated, where that is on record."""
    name = "validation_bits_per_byte"
    found = (
        record[name] for record in history.records if record["step"] == history.best_step and name in record
    )
    return next(found, None)


def _sample(model: ByteModel, settings: TrainSettings, folder: RunFolder) -> None:
    drawn = bytearray()
    with closing(Utf8Writer(sys.stdout)) as writer:
        generated = model.generate(rng=settings.seed, temperature=_TEMPERATURE)
        for byte in islice(generated, settings.sample_length):
            drawn.append(byte)
            writer.write(bytes([byte]))
    try:
        with replace_file(folder.sample) as file:
            file.write(drawn)
    except OSError as error:
        raise CommandError(f"could not save {str(folder.sample)!r}: {error.strerror}", code=1) from None


def _draw(history: History, folder: RunFolder) -> list[str]:
    """Draw the loss curve if there is matplotlib; the names of the files made."""
    try:
        history.plot(folder.curve)
    except ImportError:
        print("\n(No loss curve: it needs matplotlib, pip install matplotlib.)")
        return []
    except OSError as error:
        raise CommandError(f"could not save {str(folder.curve)!r}: {error.strerror}", code=1) from None
    return [folder.curve.name]
