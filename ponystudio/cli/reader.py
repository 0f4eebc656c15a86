"""`ponystudio reader`: the process that decodes pictures, started by those that need one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ponystudio.pictures.reader_main import main as read


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--unconfined", action="store_true", help="with the rights that it has")


def main(arguments: Namespace) -> int:
    return read(confined=not arguments.unconfined)
