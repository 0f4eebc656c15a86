"""`ponystudio packs`: the process in which node packs are tried before they are loaded."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ponystudio.engine.pack_trial import main as load_all


def add_arguments(_: ArgumentParser) -> None:
    """It takes none: all is said over the pipes."""


def main(_: Namespace) -> int:
    return load_all()
