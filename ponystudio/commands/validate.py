"""`ponystudio validate`: every error of a graph, with its node, socket and remedy."""

from __future__ import annotations

from argparse import Namespace

from ponystudio.commands.complaints import Refused
from ponystudio.commands.opening import open_graph


def main(arguments: Namespace) -> int:
    opened = open_graph(arguments)
    if errors := opened.errors():
        raise Refused(errors)
    print(f"{arguments.graph}: {len(opened.graph.nodes)} nodes, nothing wrong.")
    return 0
