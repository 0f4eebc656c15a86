"""`ponystudio export`: a graph as other programs read it."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ponystudio.cli.graph_argument import (
    OpenedGraph,
    add_graph_arguments,
    open_graph,
    tell_remarks,
)
from ponystudio.errors import UsageError
from ponystudio.graph.atomic_write import write_text
from ponystudio.library.graph_families import graph_families
from ponystudio.pictures.graph_export import EXPORTS, PICTURE, TEXT_EXPORTS
from ponystudio.system.file_names import absolute, as_stored


def add_arguments(parser: ArgumentParser) -> None:
    add_graph_arguments(parser)
    parser.add_argument(
        "--to", choices=EXPORTS, required=True, metavar="KIND", help=", ".join(EXPORTS)
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        help="where to (a picture: .png or .svg); without it texts go to the terminal",
    )


def main(arguments: Namespace) -> int:
    opened = open_graph(arguments)
    name = arguments.graph.name
    if arguments.to == PICTURE:
        if arguments.output is None:
            raise UsageError("A picture needs a file.", remedy="Name one with -o, .png or .svg.")
        _draw(opened, absolute(as_stored(arguments.output)), name)
        return 0
    catalog = opened.packs.catalog
    families = graph_families(opened.graph, catalog, opened.folders)
    exported = TEXT_EXPORTS[arguments.to].write(opened.graph, catalog, name, families)
    tell_remarks(exported.remarks)
    if arguments.output:
        write_text(as_stored(arguments.output), exported.text)
    else:
        print(exported.text, end="")
    return 0


def _draw(opened: OpenedGraph, path: Path, name: str) -> None:
    """On no display: nothing is shown."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtWidgets import QApplication

    from ponystudio.canvas.painting.graph_picture import save_picture
    from ponystudio.studio.documents.editable_graph import EditableGraph

    app = QApplication.instance() or QApplication(sys.argv[:1])
    save_picture(EditableGraph(opened.graph, opened.packs.catalog), path, name)
    del app
