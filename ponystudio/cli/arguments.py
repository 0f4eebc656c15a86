"""The command line: what may be said, and how errors are told. Loads neither torch nor Qt.

Exit codes: 0 done; 1 a node failed, or the answer could not be written out; 2 bad input or usage,
found before running; 130 cancelled.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from types import ModuleType

from ponystudio import __version__
from ponystudio.cli import open_studio
from ponystudio.cli.error_report import print_error, printable
from ponystudio.cli.interrupts import interruptible
from ponystudio.errors import LONGEST, Cancelled, PonyStudioError, shortened
from ponystudio.library import user_folders
from ponystudio.system import standard_streams

# Each is a module here of its name with `add_arguments(parser)` and `main(arguments)`, which gives
# the exit code; without a help text it is not for people.
COMMANDS: Mapping[str, str | None] = {
    "run": "make what a graph describes",
    "validate": "check a graph without running it",
    "nodes": "list the nodes, or explain one",
    "import": "another tool's workflow or picture as a graph",
    "export": "a graph as other tools read it",
    "inspect": "say what a model file is, and why",
    "compare": "two checkpoints, block by block, and what it means",
    "convert": "checkpoint to .safetensors, safely",
    "verify": "make a picture again and compare",
    "doctor": "devices, versions, folders, what is missing",
    "worker": None,
    "reader": None,
    "packs": None,
}
# A word of the language cannot be a module's name.
_MODULES = {"import": "import_graph"}
# Those that write nothing, and may be given up anywhere.
LOOKING = ("validate", "nodes", "inspect", "doctor")
# Set to anything, it shows where in PonyStudio an unforeseen error came from.
DEBUG = "PONYSTUDIO_DEBUG"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words say; returns the exit code."""
    standard_streams.secure()
    try:
        code = _do(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as leaving:  # argparse's
        code = int(leaving.code or 0)
    lost = standard_streams.lost_output()
    if lost is None:
        return code
    if not isinstance(lost, BrokenPipeError):  # a reader who left, as of `ponystudio nodes | head`
        print(
            f"error: standard output: {os.strerror(lost.errno or errno.EIO)}.\n"
            "  What was saved to files is saved; send the rest elsewhere.",
            file=sys.stderr,
        )
    return code or 1


def _do(words: Sequence[str]) -> int:
    # torch makes it at once, in the folder of temporary files that all users share.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(user_folders.cache() / "torch"))
    if not words or not (words[0] in COMMANDS or words[0].startswith("-")):
        return open_studio.main(words, [name for name, help in COMMANDS.items() if help])
    try:
        arguments = _parser(words).parse_args(words)
        do = partial(command_module(arguments.command).main, arguments)
        code: int = interruptible(do) if arguments.command in LOOKING else do()
        return code
    except PonyStudioError as error:
        print_error(error)
        return error.exit_code
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled.", file=sys.stderr)
        return Cancelled.exit_code
    except Exception as error:
        if standard_streams.lost_output() is error:
            return 1
        if os.environ.get(DEBUG):
            raise
        print(
            f"error: PonyStudio itself is at fault ({type(error).__name__}: {_said(error)}).\n"
            f"  Run it again with {DEBUG}=1 and report what it prints.",
            file=sys.stderr,
        )
        return 1


def _said(error: Exception) -> str:
    return printable(shortened(str(error), LONGEST))


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these words: only the modules of commands among them are loaded."""
    parser = argparse.ArgumentParser(
        prog="ponystudio",
        description="A node-graph picture studio for the Pony Diffusion family and its kin.",
        epilog="Exit codes: 0 done, 1 a node failed or the answer could not be written out,"
        " 2 bad input or usage, 130 cancelled.",
    )
    parser.add_argument("--version", action="version", version=f"ponystudio {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, help in COMMANDS.items():
        command = commands.add_parser(name, help=help) if help else commands.add_parser(name)
        if name in words:
            command_module(name).add_arguments(command)
    return parser


def command_module(command: str) -> ModuleType:
    return importlib.import_module(f"ponystudio.cli.{_MODULES.get(command, command)}")
