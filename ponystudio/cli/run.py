"""`ponystudio run`: make what a graph describes."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import redirect_stdout
from pathlib import Path
from threading import Event
from typing import Any

from ponystudio.cli.error_report import Refused
from ponystudio.cli.graph_argument import OpenedGraph, add_graph_arguments, open_graph
from ponystudio.cli.interrupts import cancellable, interruptible
from ponystudio.cli.progress import JsonLines, RunDisplay, TextReport
from ponystudio.errors import UsageError
from ponystudio.graph.formats.metadata_policy import TEXTS, MetadataPolicy
from ponystudio.library import user_folders
from ponystudio.pictures import content_credentials
from ponystudio.system.file_names import absolute, why_closed
from ponystudio.system.own_program import working_folder

DEVICES = ("auto", "cpu", "cuda[:N]", "rocm", "mps")
METADATA = tuple(texts.replace(" ", "-") for texts in TEXTS)
DTYPES = ("auto", "fp32", "fp16", "bf16")


def add_arguments(parser: ArgumentParser) -> None:
    add_graph_arguments(parser)
    parser.add_argument("--output", metavar="DIR", type=folder, help="where results are written")
    parser.add_argument("--device", type=device, default="auto", help=", ".join(DEVICES))
    parser.add_argument("--dtype", choices=DTYPES, default="auto", help="precision of the networks")
    parser.add_argument(
        "--memory", type=gigabytes, default=0.0, metavar="GB", help="of the device's, at most"
    )
    parser.add_argument("--cache-dir", metavar="DIR", type=folder, help="where results are kept")
    parser.add_argument("--no-disk-cache", action="store_true", help="keep no results on disk")
    parser.add_argument(
        "--metadata", choices=METADATA, default="everything", help="what saved pictures say"
    )
    parser.add_argument(
        "--no-disclosure", action="store_true", help="do not mark pictures as made by AI"
    )
    parser.add_argument("--sign", action="store_true", help="sign that mark (the extra c2pa)")
    parser.add_argument("--events", action="store_true", help="tell all as JSON lines on stdout")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and why")


def main(arguments: Namespace) -> int:
    display = JsonLines(sys.stdout) if arguments.events else TextReport(sys.stdout, sys.stderr)
    with display:
        if arguments.no_disk_cache and arguments.cache_dir:
            raise UsageError(
                "--cache-dir and --no-disk-cache contradict each other.",
                remedy="Leave one of them out.",
            )
        if arguments.sign and arguments.no_disclosure:
            raise UsageError(
                "--sign and --no-disclosure contradict each other: what is signed is the mark.",
                remedy="Leave one of them out.",
            )
        if arguments.sign and not content_credentials.available():
            raise content_credentials.not_available()
        if arguments.cache_dir and (reason := why_closed(absolute(arguments.cache_dir))):
            raise UsageError(
                f"Nothing can be written there: {reason}",
                where=f"--cache-dir {arguments.cache_dir}",
                remedy="Name another folder, or keep no results with --no-disk-cache.",
            )
        opened = interruptible(lambda: open_graph(arguments))
        targets = opened.targets()
        if errors := opened.errors_in_the_way(targets):
            raise Refused(errors)
        _run(opened, targets, arguments, display)
    return 0


def _run(
    opened: OpenedGraph, targets: list[str] | None, arguments: Namespace, display: RunDisplay
) -> None:
    user_folders.make_private()
    settings: dict[str, Any] = {
        "folders": opened.folders,
        "packs": opened.packs,
        "targets": targets and tuple(targets),
        "output": absolute(arguments.output or user_folders.pictures()),
        "device": arguments.device,
        "dtype": arguments.dtype,
        "memory": int(arguments.memory * 2**30),
        "cache_dir": None
        if arguments.no_disk_cache
        else absolute(arguments.cache_dir or user_folders.results_cache()),
        "index_path": user_folders.model_index(),
        # What the last run of this file was is what "why" is told against.
        "scope": str(absolute(arguments.graph)),
    }

    texts, disclosed = arguments.metadata.replace("-", " "), not arguments.no_disclosure
    metadata = MetadataPolicy(texts, disclosed, arguments.sign)
    os.chdir(working_folder())  # every path is whole by now

    def work(cancel: Event) -> None:
        # Loads torch: bad input comes first.
        from ponystudio.engine.headless import dry_run, run_graph

        if arguments.dry_run:
            plans = dry_run(opened.graph, **settings)
            display.show_plan({id: plan.text for id, plan in plans.items()})
            return
        # What nodes print belongs to the notes; stdout is for paths and events.
        with redirect_stdout(sys.stderr):
            run_graph(opened.graph, metadata=metadata, on_event=display, cancel=cancel, **settings)

    cancellable(work)


def folder(text: str) -> Path:
    """A folder to write to, there or not: no file found in its place after minutes of work."""
    path = Path(text)
    if os.path.exists(path) and not path.is_dir():  # noqa: PTH110 (Path.exists raises)
        raise ArgumentTypeError(f"{text} is a file, not a folder")
    return path


def gigabytes(text: str) -> float:
    if re.fullmatch(r"\d{1,4}(\.\d+)?", text):
        return float(text)
    raise ArgumentTypeError(f"{text!r} is no number of gigabytes")


def device(text: str) -> str:
    if re.fullmatch(r"auto|cpu|mps|rocm|cuda(:\d+)?", text):
        return text
    raise ArgumentTypeError(f"{text!r} is none of {', '.join(DEVICES)}")
