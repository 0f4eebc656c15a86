"""The command line: what may be said, and how errors are told. Loads neither torch nor Qt.

Exit codes: 0 done; 1 a node failed; 2 bad input or usage, found before running; 130 cancelled.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from ponystudio import __version__
from ponystudio.cli import open_studio
from ponystudio.cli.error_report import print_error
from ponystudio.errors import Cancelled, PonyStudioError
from ponystudio.library import user_folders

# Each is a module here with `add_arguments(parser)` and `main(arguments)`, which gives the exit
# code; without a help text it is not for people.
COMMANDS: Mapping[str, str | None] = {
    "run": "make what a graph describes",
    "validate": "check a graph without running it",
    "nodes": "list the nodes, or explain one",
    "inspect": "say what a model file is, and why",
    "convert": "checkpoint to .safetensors, safely",
    "verify": "make a picture again and compare",
    "doctor": "devices, versions, folders, what is missing",
    "worker": None,
    "reader": None,
    "packs": None,
}
# Set to anything, it shows where in PonyStudio an unforeseen error came from.
DEBUG = "PONYSTUDIO_DEBUG"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words say; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is not None:  # a frozen windowed program has none
        # A file name that is no text in the terminal's encoding must not stop a run.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # torch makes it at once, in the folder of temporary files that all users share.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(user_folders.cache() / "torch"))
    if not words or not (words[0] in COMMANDS or words[0].startswith("-")):
        return open_studio.main(words, [name for name, help in COMMANDS.items() if help])
    try:
        arguments = _parser(words).parse_args(words)
        code: int = _module(arguments.command).main(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()  # so that a reader who left is noticed here
        return code
    except PonyStudioError as error:
        print_error(error)
        return error.exit_code
    except (Cancelled, KeyboardInterrupt):
        print("Cancelled.", file=sys.stderr)
        return Cancelled.exit_code
    except BrokenPipeError:  # as in `ponystudio nodes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        print(
            f"error: PonyStudio itself is at fault ({type(error).__name__}: {error}).\n"
            f"  Run it again with {DEBUG}=1 and report what it prints.",
            file=sys.stderr,
        )
        return 1


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these words: only the modules of commands among them are loaded."""
    parser = argparse.ArgumentParser(
        prog="ponystudio",
        description="A node-graph picture studio for the Pony Diffusion family and its kin.",
        epilog="Exit codes: 0 done, 1 a node failed, 2 bad input or usage, 130 cancelled.",
    )
    parser.add_argument("--version", action="version", version=f"ponystudio {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, help in COMMANDS.items():
        command = commands.add_parser(name, help=help) if help else commands.add_parser(name)
        if name in words:
            _module(name).add_arguments(command)
    return parser


def _module(command: str) -> ModuleType:
    return importlib.import_module(f"ponystudio.cli.{command}")
