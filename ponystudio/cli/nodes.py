"""`ponystudio nodes`: the catalog, or one node's help."""

from __future__ import annotations

import difflib
import json
import sys
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from itertools import groupby

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.engine.node_packs import load_packs
from ponystudio.errors import UnknownNode
from ponystudio.graph.catalog import Catalog, known_elsewhere

WIDTH = 88


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="a node's id or title, or a group of nodes"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def main(arguments: Namespace) -> int:
    catalog = load_packs().catalog
    group = arguments.name and _group(arguments.name, catalog)
    if group:
        catalog = Catalog(group, catalog.problems)
    if group or arguments.name is None:
        shown = catalog.to_json() if arguments.json else "\n".join(_overview(catalog))
    else:
        spec = _find(arguments.name, catalog)
        shown = spec.to_json() if arguments.json else "\n".join(_help(spec))
    print(json.dumps(shown, indent=2) if arguments.json else shown)
    for problem in catalog.problems:
        print(f"note: node pack {problem.pack}: {problem.error}", file=sys.stderr)
    return 0


def _find(name: str, catalog: Catalog) -> NodeSpec:
    """By id, by id without `core.`, or by title."""
    word = name.lower()
    for spec in catalog.values():
        if word in (spec.id, spec.id.removeprefix("core."), spec.title.lower()):
            return spec
    titles = [spec.title for spec in catalog.values()]
    near = difflib.get_close_matches(word, [*catalog, *titles], 3, 0.5)
    raise UnknownNode(
        f"There is no node {name}.",
        remedy=known_elsewhere(name, catalog)
        or (f"Did you mean {', '.join(near)}?" if near else "See `ponystudio nodes`."),
    )


def _group(name: str, catalog: Catalog) -> list[NodeSpec]:
    """The nodes of the group of that name, or of none if a node is called so itself."""
    specs = list(catalog.values())
    if any(name.lower() == spec.title.lower() for spec in specs):
        return []
    return [spec for spec in specs if name.lower() == (spec.group or "Other").lower()]


def _overview(catalog: Catalog) -> Iterator[str]:
    width = max((len(id) for id in catalog), default=0)
    ordered = sorted(catalog.values(), key=lambda spec: (spec.group, spec.id))
    for group, specs in groupby(ordered, key=lambda spec: spec.group):
        yield f"{group or 'Other'}"
        for spec in specs:
            summary = spec.help.partition("\n\n")[0]
            yield f"  {spec.id:<{width}}  " + textwrap.shorten(
                summary, WIDTH - width, placeholder=" …"
            )
        yield ""
    yield "`ponystudio nodes NAME` explains one of them."


def _help(spec: NodeSpec) -> Iterator[str]:
    yield f"{spec.id} — {spec.title} ({spec.group or 'Other'}, version {spec.version})"
    yield ""
    for paragraph in spec.help.split("\n\n"):
        yield textwrap.fill(" ".join(paragraph.split()), WIDTH)
        yield ""
    if spec.aliases:
        yield textwrap.fill(f"In other tools: {', '.join(spec.aliases)}.", WIDTH)
        yield ""
    if spec.inputs:
        yield "Inputs"
        for socket in spec.inputs:
            yield from _row(
                socket.name, socket.type + (", optional" if socket.optional else ""), socket.help
            )
        yield ""
    if spec.params:
        yield "Params"
        for param in spec.params:
            yield from _row(param.name, _range(param), param.help)
        yield ""
    if spec.outputs:
        yield "Outputs"
        for output in spec.outputs:
            yield from _row(output.name, output.type, "")


def _row(name: str, what: str, help: str) -> Iterator[str]:
    yield from textwrap.wrap(
        f"{name}: {what}", WIDTH, initial_indent="  ", subsequent_indent=" " * 6
    )
    if help:
        yield from textwrap.wrap(help, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _range(param: ParamSpec) -> str:
    """What may be given: "float, 0 to 100, default 7.0"."""
    parts = [f"file of {param.kind}" if param.type == "file" else param.type]
    if param.low is not None and param.high is not None:
        parts.append(f"{param.low} to {param.high}")
    if param.choices:
        parts.append("one of " + " ".join(param.choices))
    if param.fields:
        parts.append("columns " + ", ".join(field.name for field in param.fields))
    return ", ".join([*parts, f"default {param.default!r}"])
