"""`ponystudio export`: a graph as other programs read it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ponystudio.api.spec import NodeSpec
from ponystudio.cli.error_report import printable
from ponystudio.cli.graph_argument import add_graph_arguments, open_graph
from ponystudio.graph.atomic_write import write_text
from ponystudio.graph.comfyui import exporter
from ponystudio.graph.comfyui.exporter import Exported
from ponystudio.graph.comfyui.importer import Remark
from ponystudio.graph.model import Graph
from ponystudio.system.file_names import as_stored

# What a graph may become.
KINDS: Mapping[str, Callable[[Graph, Mapping[str, NodeSpec]], Exported]] = {
    "comfyui": exporter.export_workflow,
    "comfyui-api": exporter.export_prompt,
}


def add_arguments(parser: ArgumentParser) -> None:
    add_graph_arguments(parser)
    parser.add_argument("--to", choices=KINDS, required=True, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="where to; without it, to the terminal"
    )


def main(arguments: Namespace) -> int:
    opened = open_graph(arguments)
    exported = KINDS[arguments.to](opened.graph, opened.packs.catalog)
    report(exported.remarks)
    text = json.dumps(exported.document, ensure_ascii=False, indent=2) + "\n"
    if arguments.output:
        write_text(as_stored(arguments.output), text)
    else:
        print(text, end="")
    return 0


def report(remarks: Sequence[Remark]) -> None:
    """What cannot be said in the target, a line each, on standard error."""
    for remark in remarks:
        where = f"{remark.node}: " if remark.node else ""
        print(printable(f"note: {where}{remark.text}"), file=sys.stderr)
