"""`weft --cmakedir`, `--includedir`, `--libdir`: for build systems, one line and nothing else."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weft import native
from weft.cli.arguments import CommandError

__all__ = ["add_native_folders"]


def add_native_folders(parser: argparse.ArgumentParser) -> None:
    """Options that print a folder and end the program."""
    group = parser.add_argument_group("for C and C++ programs, print the folder of")
    group.add_argument("--cmakedir", action=_Print, find=native.cmake_folder, help="weft-config.cmake")
    group.add_argument("--includedir", action=_Print, find=native.include_folder, help="the headers")
    group.add_argument("--libdir", action=_Print, find=native.library_folder, help="the library")


class _Print(argparse.Action):
    def __init__(self, *, find: Callable[[], Path], **given: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **given)
        self._find = find

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            print(self._find())
        except FileNotFoundError as error:
            raise CommandError(str(error), code=1) from None
        parser.exit()
