"""`ponystudio worker`: the engine's process, started by the studio over pipes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ponystudio.engine.worker.worker_main import main as work


def add_arguments(_: ArgumentParser) -> None:
    """It takes none: all is said over the pipes."""


def main(_: Namespace) -> int:
    return work()
