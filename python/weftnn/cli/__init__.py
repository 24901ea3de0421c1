"""The command `weftnn`: train, sample and evaluate a byte-level language model; show the configuration.

Errors in what the user gave are one line on standard error and exit code 2, failures later exit code 1,
Ctrl-C exit code 130, other signals 128 and their number.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import weftnn
from weftnn.cli.arguments import CommandError, Parser
from weftnn.cli.file_names import printable
from weftnn.cli.lm import add_lm_commands
from weftnn.cli.native_folders import add_native_folders
from weftnn.cli.standard_streams import Output, standard_streams

__all__ = ["main"]

_DESCRIPTION = "Recurrent networks on CPUs: train a language model on any text, and look at the machine."
_EXAMPLES = """\
examples:
  weftnn lm train                  a minute: trains on English prose that every Python carries
  weftnn lm sample runs/lm-1       text from the model that it made
  weftnn info                      version, instruction set, threads

'weftnn lm train --help' explains every choice.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name); gives the exit code."""
    with standard_streams() as output:
        try:
            return _run(arguments, output)
        except CommandError as error:
            if str(error):
                print(f"{error.command}: {printable(str(error))}", file=sys.stderr)
            if error.hint:
                print(error.hint, file=sys.stderr)
            return error.code


def _run(arguments: Sequence[str] | None, output: Output) -> int:
    """Whatever ends a command early is a CommandError with the command's name."""
    command = "weftnn"
    try:
        try:
            given, strange = _parser(output).parse_known_args(arguments)
            command = given.command
            if strange:
                problem = f"unrecognized arguments: {' '.join(strange)}"
                raise CommandError(problem, hint=f"Try '{command} --help'.")
            output.check()
            return int(given.run(given))
        finally:
            output.flush()  # while a failure can still be told
    except CommandError as error:
        error.command = error.command or command
        raise
    except KeyboardInterrupt:
        print(file=sys.stderr)  # below the ^C
        raise CommandError("interrupted", command=command, code=130) from None
    except MemoryError as error:
        raise CommandError(f"not enough memory: {error}", command=command, code=1) from None
    except OSError as error:
        where = f" {error.filename!r}" if error.filename is not None else ""
        problem = f"the system refused{where}: {error.strerror or error}"
        raise CommandError(problem, command=command, code=1) from None


def _parser(output: Output) -> Parser:
    parser = Parser(prog="weftnn", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"weftnn {weftnn.__version__}")
    add_native_folders(parser, output)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")

    lm = commands.add_parser(
        "lm",
        help="train, sample and evaluate a language model",
        description="A language model over bytes, so for any text in any language.",
    )
    add_lm_commands(lm)
    info = commands.add_parser(
        "info",
        help="show version, instruction set, threads, precision",
        description="What weft runs on: version, instruction sets, threads, OpenMP runtimes, precision.",
    )
    info.set_defaults(run=_info, command="weftnn info")
    return parser


def _info(arguments: argparse.Namespace) -> int:
    print(weftnn.show_config())
    return 0
