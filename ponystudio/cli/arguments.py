"""The command line: what may be said, and how errors are told. Loads neither torch nor Qt.

Each command is a module of `ponystudio.cli` with `main(arguments) -> exit code`.

Exit codes: 0 done; 1 a node failed; 2 bad input or usage, found before running; 130 cancelled.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ponystudio import __version__
from ponystudio.cli.error_report import complain
from ponystudio.errors import Cancelled, PonyStudioError

COMMANDS = ("run", "validate", "nodes", "inspect", "convert", "verify", "doctor", "worker")
DEVICES = ("auto", "cpu", "cuda[:N]", "rocm", "mps")
DTYPES = ("auto", "fp32", "fp16", "bf16")
# Set to anything, it shows where in PonyStudio an unforeseen error came from.
DEBUG = "PONYSTUDIO_DEBUG"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the words say; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if sys.stdout is not None:  # a frozen windowed program has none
        # A file name that is no text in the terminal's encoding must not stop a run.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if not words or not (words[0] in COMMANDS or words[0].startswith("-")):
        return _canvas(words)
    arguments = _parser().parse_args(words)
    try:
        command = importlib.import_module(f"ponystudio.cli.{arguments.command}")
        code: int = command.main(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()  # so that a reader who left is noticed here
        return code
    except PonyStudioError as error:
        complain(error)
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


def _canvas(words: Sequence[str]) -> int:
    """`ponystudio [FILE...]`: the studio."""
    missing = next((word for word in words if not os.path.exists(word)), None)  # noqa: PTH110
    if missing is not None:
        near = difflib.get_close_matches(missing, COMMANDS[:-1], 1)
        hint = f"Did you mean `{near[0]}`?" if near else "See `ponystudio --help`."
        print(f"error: {missing} is neither a command nor a file.\n  {hint}", file=sys.stderr)
        return 2
    try:
        studio = importlib.import_module("ponystudio.app.studio_main")
    except ImportError as error:  # Qt's wheels need libraries that not every system has
        print(
            f"error: The studio's window cannot be opened ({error}).\n"
            "  `ponystudio doctor` says what is missing; `ponystudio run GRAPH` needs no window.",
            file=sys.stderr,
        )
        return 1
    if not studio.can_show():
        print(
            "error: There is no display to open the studio on.\n"
            "  `ponystudio run GRAPH` makes the picture, `ponystudio --help` shows the rest.",
            file=sys.stderr,
        )
        return 2
    code: int = studio.main([Path(word) for word in words])
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ponystudio",
        description="A node-graph picture studio for the Pony Diffusion family and its kin.",
        epilog="Exit codes: 0 done, 1 a node failed, 2 bad input or usage, 130 cancelled.",
    )
    parser.add_argument("--version", action="version", version=f"ponystudio {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="make what a graph describes")
    _add_graph(run)
    run.add_argument("--output", metavar="DIR", type=_folder, help="where results are written")
    run.add_argument(
        "--device", type=_device, default="auto", help="auto, cpu, cuda[:N], rocm, mps"
    )
    run.add_argument("--dtype", choices=DTYPES, default="auto", help="precision of the networks")
    run.add_argument(
        "--memory", type=_gigabytes, default=0.0, metavar="GB", help="of the device's, at most"
    )
    run.add_argument("--cache-dir", metavar="DIR", type=_folder, help="where results are kept")
    run.add_argument("--no-disk-cache", action="store_true", help="keep no results on disk")
    run.add_argument("--events", action="store_true", help="tell all as JSON lines on stdout")
    run.add_argument("--dry-run", action="store_true", help="say what would run, and why")

    validate = commands.add_parser("validate", help="check a graph without running it")
    _add_graph(validate)

    nodes = commands.add_parser("nodes", help="list the nodes, or explain one")
    nodes.add_argument(
        "name", metavar="NAME", nargs="?", help="a node's id or title, or a group of nodes"
    )
    nodes.add_argument("--json", action="store_true", help="as JSON")

    inspect = commands.add_parser("inspect", help="say what a model file is, and why")
    inspect.add_argument("file", metavar="FILE", type=Path, help="a model file or folder")
    inspect.add_argument("--json", action="store_true", help="as JSON")

    convert = commands.add_parser("convert", help="checkpoint to .safetensors, safely")
    convert.add_argument("source", metavar="IN", type=Path, help="a .ckpt, .pt, .bin or folder")
    convert.add_argument("target", metavar="OUT", type=Path, help="the .safetensors to write")
    convert.add_argument("--ema", action="store_true", help="take the averaged weights")
    convert.add_argument("--half", action="store_true", help="store as 16-bit floats")

    verify = commands.add_parser("verify", help="make a picture again and compare")
    verify.add_argument("picture", metavar="PICTURE", type=Path, help="one that was made here")
    _add_models(verify)

    commands.add_parser("doctor", help="devices, versions, folders, what is missing")
    commands.add_parser("worker")  # what the studio starts for itself; not for people
    return parser


def _add_graph(command: argparse.ArgumentParser) -> None:
    command.add_argument("graph", metavar="GRAPH", type=Path, help="a graph, or a picture with one")
    command.add_argument(
        "--set",
        dest="settings",
        metavar="NODE.PARAM=VALUE",
        action="append",
        default=[],
        help="change a param for this run; may be given again",
    )
    _add_models(command)


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--models",
        metavar="DIR",
        type=Path,
        action="append",
        default=[],
        help="a folder of models, laid out as ours, ComfyUI's or A1111's; may be given again",
    )


def _folder(text: str) -> Path:
    """A folder to write to, there or not: no file found in its place after minutes of work."""
    path = Path(text)
    if os.path.exists(path) and not path.is_dir():  # noqa: PTH110 (Path.exists raises)
        raise argparse.ArgumentTypeError(f"{text} is a file, not a folder")
    return path


def _gigabytes(text: str) -> float:
    if re.fullmatch(r"\d{1,4}(\.\d+)?", text):
        return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of gigabytes")


def _device(text: str) -> str:
    if re.fullmatch(r"auto|cpu|mps|rocm|cuda(:\d+)?", text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(DEVICES)}")
