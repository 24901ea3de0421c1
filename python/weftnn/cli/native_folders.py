"""`weftnn --cmakedir`, `--includedir`, `--libdir`: for build systems, one line and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weftnn import native
from weftnn.cli.arguments import CommandError
from weftnn.cli.standard_streams import Output

__all__ = ["add_native_folders"]


def add_native_folders(parser: argparse.ArgumentParser, output: Output) -> None:
    """Options that print a folder and end the program."""
    group = parser.add_argument_group("for C and C++ programs, print the folder of")

    def add(option: str, find: Callable[[], Path], help: str) -> None:
        group.add_argument(option, action=_Print, find=find, output=output, help=help)

    add("--cmakedir", native.cmake_folder, "weft-config.cmake")
    add("--includedir", native.include_folder, "the headers")
    add("--libdir", native.library_folder, "the library")


class _Print(argparse.Action):
    def __init__(self, *, find: Callable[[], Path], output: Output, **given: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **given)
        self._find = find
        self._output = output

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            folder = self._find()
        except FileNotFoundError as error:
            raise CommandError(str(error), code=1) from None
        self._output.write_name(folder)
        self._output.write("\n")
        parser.exit()
