"""`ponystudio run`: make what a graph describes."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import redirect_stdout

from ponystudio.cli.error_report import Refused
from ponystudio.cli.graph_argument import OpenedGraph, open_graph
from ponystudio.cli.interrupts import cancellable
from ponystudio.cli.progress import JsonLines, Report, Show
from ponystudio.errors import UsageError
from ponystudio.library import user_folders


def main(arguments: Namespace) -> int:
    show = JsonLines(sys.stdout) if arguments.events else Report(sys.stdout, sys.stderr)
    with show:
        if arguments.no_disk_cache and arguments.cache_dir:
            raise UsageError(
                "--cache-dir and --no-disk-cache contradict each other.",
                remedy="Leave one of them out.",
            )
        opened = open_graph(arguments)
        if errors := opened.errors_in_the_way():
            raise Refused(errors)
        _run(opened, arguments, show)
    return 0


def _run(opened: OpenedGraph, arguments: Namespace, show: Show) -> None:
    from ponystudio.engine.headless import dry_run, run_graph  # loads torch: bad input comes first

    settings = {
        "folders": opened.folders,
        "packs": opened.packs,
        "output": (arguments.output or user_folders.pictures()).absolute(),
        "device": arguments.device,
        "dtype": arguments.dtype,
        "memory": int(arguments.memory * 2**30),
        "cache_dir": None
        if arguments.no_disk_cache
        else arguments.cache_dir or user_folders.results_cache(),
        # What the last run of this file was is what "why" is told against.
        "scope": str(arguments.graph.absolute()),
    }
    if arguments.dry_run:
        show.plan(dry_run(opened.graph, **settings))
    else:
        # What nodes print belongs to the notes; stdout is for paths and events.
        with redirect_stdout(sys.stderr):
            cancellable(
                lambda cancel: run_graph(opened.graph, on_event=show, cancel=cancel, **settings)
            )
