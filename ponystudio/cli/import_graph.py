"""`ponystudio import`: another program's workflow, picture or text as a graph of ours."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ponystudio.cli.model_arguments import add_models_argument, add_rebind_argument
from ponystudio.pictures.graph_opening import open_file
from ponystudio.system.file_names import absolute, as_stored


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a workflow, a picture, or a text")
    parser.add_argument(
        "-o", "--output", metavar="GRAPH", type=Path, help="where to; without it, to the terminal"
    )
    add_models_argument(parser)
    add_rebind_argument(parser)


def main(arguments: Namespace) -> int:
    path = as_stored(arguments.file)
    with ThreadPoolExecutor(1, "opening") as reading:
        opening = reading.submit(open_file, path)
        # A picture's process takes as long to start as all that is asked of the nodes.
        from ponystudio.cli.error_report import printable
        from ponystudio.cli.graph_argument import (
            found_models,
            given_folders,
            report_import,
            report_problems,
        )
        from ponystudio.cli.missing_models import with_remedies
        from ponystudio.engine.node_packs import load_packs
        from ponystudio.engine.preflight import check_models
        from ponystudio.errors import MissingFile
        from ponystudio.graph.formats import graph_file
        from ponystudio.graph.formats.migrations import upgrade_nodes
        from ponystudio.graph.topology import effective

        packs = load_packs()
    report_problems(packs)
    opened = opening.result()
    graph, _ = upgrade_nodes(opened.graph, packs.upgrades, packs.catalog)
    folders = given_folders(arguments.models, absolute(path).parent)
    if opened.imported:
        report_import(opened.imported)
    graph, named = found_models(graph, packs, folders, rebind=arguments.rebind)
    found = check_models(graph, packs, folders, list(effective(graph, packs.catalog).nodes))
    elsewhere = with_remedies(found, named)
    missing = [error for error in found if isinstance(error, MissingFile)]
    for error, helped in zip(found, elsewhere, strict=True):
        kind = "missing" if isinstance(error, MissingFile) else "note"
        what = error.what if helped is error else f"{error.what} {helped.remedy}"
        print(f"{kind}: {printable(f'{error.node}: {what}')}", file=sys.stderr)
    if arguments.output:
        graph_file.write(graph, arguments.output, packs.catalog)
    else:
        print(graph_file.dumps(graph, packs.catalog), end="")
    stand_ins = len(opened.imported.placeholders) if opened.imported else 0
    total = len(graph.nodes)
    print(
        f"{_count(total, 'node')}, {total - stand_ins} mapped,"
        f" {_count(stand_ins, 'placeholder')},"
        f" {_count(len({error.what for error in missing}), 'model')} missing",
        file=sys.stderr,
    )
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
