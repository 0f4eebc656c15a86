"""`ponystudio validate`: every error of a graph, with its node, socket and remedy."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from ponystudio.cli.error_report import Refused
from ponystudio.cli.graph_argument import add_graph_arguments, open_graph


def add_arguments(parser: ArgumentParser) -> None:
    add_graph_arguments(parser)


def main(arguments: Namespace) -> int:
    opened = open_graph(arguments)
    if errors := opened.errors():
        raise Refused(errors)
    print(f"{arguments.graph}: {len(opened.graph.nodes)} nodes, nothing wrong.")
    return 0
