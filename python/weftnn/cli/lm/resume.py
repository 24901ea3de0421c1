"""Going on with a run: its own settings, with what may change taken from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from weftnn.cli.arguments import CommandError, Parser
from weftnn.cli.file_names import quoted
from weftnn.cli.lm.corpus import Corpus, read_corpus
from weftnn.cli.lm.run_folder import RunFolder
from weftnn.cli.lm.train_arguments import add_train_arguments
from weftnn.cli.lm.train_settings import RESUMABLE, TrainSettings, settings_of
from weftnn.cli.text import is_default
from weftnn.cli.threads import processors

__all__ = ["find_run", "resume_command", "same_corpus"]


def find_run(given: Mapping[str, Any]) -> tuple[TrainSettings, RunFolder]:
    """The settings to go on with, and the folder. Raises CommandError for what a run cannot change."""
    folder = RunFolder(Path(given["resume"]))
    description = folder.description()
    parser = Parser(prog="run.json")
    add_train_arguments(parser)
    try:
        stored = vars(parser.parse_args(description["arguments"]))
    except CommandError as error:
        raise CommandError(f"{str(folder.path / 'run.json')!r} is damaged: {error}") from None
    run = settings_of(stored)
    for name, value in given.items():
        if hasattr(run, name) and name not in RESUMABLE and getattr(run, name) != value:
            raise _unchangeable(name, getattr(run, name), value)
    if given.get("validation") and "validation" not in description:
        raise CommandError(
            "--validation belongs to the run and cannot be added on --resume: it validates on the last "
            f"{run.held_out_part:g} of its text"
        )
    changes = {name: value for name, value in given.items() if name in RESUMABLE}
    if run.threads is not None:  # of the machine that it began on
        run = replace(run, threads=min(run.threads, processors()))
    if "steps" in changes or "epochs" in changes:
        run = replace(run, steps=None, epochs=None)
    for name in ("text", "validation"):
        if not changes.get(name):
            changes[name] = _sources(name, description)
    run = replace(run, **{name: _frozen(value) for name, value in changes.items()})
    for name in ("text", "validation"):
        if "-" in getattr(run, name) and not given.get(name):
            raise CommandError(
                f"the run read its {name} from standard input: pipe the same in again, "
                f"{resume_command(run, folder)}"
            )
    return run, folder


def _unchangeable(name: str, was: Any, value: Any) -> CommandError:
    option = "--" + name.replace("_", "-")
    if name == "out":
        return CommandError("--out and --resume exclude each other: a run goes on in its own folder")
    was = "not given" if was is None or was is False else was
    got = "" if value is True else f", got {value}"
    return CommandError(f"{option} belongs to the run and cannot change on --resume: it is {was}{got}")


def resume_command(settings: TrainSettings, folder: RunFolder) -> str:
    """The command that goes on with a run, to be pasted into a shell."""
    command = f"weftnn lm train --resume {quoted(folder.path)}"
    if "-" in settings.text:
        return f"... | {command} -"
    return f"... | {command} --validation -" if "-" in settings.validation else command


def same_corpus(settings: TrainSettings, folder: RunFolder) -> Corpus:
    """The run's texts. Raises CommandError where they have changed: training would judge itself wrongly."""
    corpus = read_corpus(settings)
    description = folder.description()
    for name, text in corpus.texts.items():
        if name not in description or text.digest != description[name]["sha256"]:
            raise CommandError(
                f"the {name} is not the one of the run in {str(folder.path)!r}: {text}; "
                "give the same text, or start a new run"
            )
    return corpus


def _sources(name: str, description: Mapping[str, Any]) -> tuple[str, ...]:
    sources = tuple(description[name]["sources"]) if name in description else ()
    return () if is_default(sources) else sources


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
