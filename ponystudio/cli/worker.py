"""`ponystudio worker`: the engine's process, started by the studio over pipes."""

from __future__ import annotations

from argparse import Namespace

from ponystudio.engine.worker.worker_main import main as work


def main(_: Namespace) -> int:
    return work()
