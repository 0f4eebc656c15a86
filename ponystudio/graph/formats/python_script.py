"""A graph as a Python script that makes the same pictures: its values on top, then its nodes as
calls, one after the other (`ponystudio/scripting.py`).
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.graph.topology import effective, order

WIDTH = 100
# Params that stand on top, beside files, seeds, texts and rows.
_MAIN = frozenset(
    ("width", "height", "batch", "steps", "cfg", "sampler", "scheduler", "denoise", "strength")
)
_ON_TOP = frozenset(("file", "seed", "text", "rows"))
_CORE = "core."
_TAKEN = {"graph", "Path", "sys", "HERE", "OUTPUT", "_", *dir(builtins), *keyword.kwlist}
_NO_NAME = re.compile(r"[^0-9A-Za-z_]")


def python_script(graph: Graph, catalog: Mapping[str, NodeSpec], *, title: str = "") -> str:
    """The script; `title` says which graph it is. Muted and bypassed nodes are not in it.

    Raises Cycle for a graph whose nodes wait for each other.
    """
    return _Script(effective(graph, catalog), catalog).text(title)


class _Script:
    def __init__(self, graph: Graph, catalog: Mapping[str, NodeSpec]) -> None:
        self._nodes = [graph.nodes[id] for id in order(graph)]
        self._catalog = catalog
        used = {link for node in self._nodes for link in node.inputs.values()}
        self._shared = Counter(link.output for link in used)
        self._taken = set(_TAKEN)
        self._names: dict[Link, str] = {}
        self._used = used
        self._constants: dict[str, str] = {}

    def text(self, title: str) -> str:
        tops = Counter(param.name for node in self._nodes for param, _ in self._on_top(node))
        calls = [line for node in self._nodes for line in self._call(node, tops)]
        what = (
            f"Makes what the graph {title} describes." if title else "Makes what a graph describes."
        )
        constants = [f"{name} = {value}" for name, value in self._constants.items()]
        return "\n".join(
            [
                f'"""{_one_line(what)}',
                "",
                "Run it with the Python that has PonyStudio: python SCRIPT [FOLDER TO SAVE IN]",
                '"""',
                "",
                "import sys",
                "from pathlib import Path",
                "",
                "from ponystudio.scripting import GraphScript",
                "",
                "HERE = Path(__file__).parent  # where pictures are looked for",
                'OUTPUT = sys.argv[1] if len(sys.argv) > 1 else "pictures"',
                "",
                *constants,
                "",
                "graph = GraphScript()",
                *calls,
                "",
                "for path in graph.run(output=OUTPUT, folder=HERE):",
                "    print(path)",
                "",
            ]
        )

    def _values(self, node: Node) -> Iterator[tuple[ParamSpec, Any]]:
        """The params that no wire brings, with their values."""
        spec = self._catalog.get(node.type)
        for param in spec.params if spec else ():
            if param.name not in node.inputs:
                yield param, node.params.get(param.name, param.default)

    def _on_top(self, node: Node) -> Iterator[tuple[ParamSpec, Any]]:
        for param, value in self._values(node):
            if param.type in _ON_TOP or param.name in _MAIN:
                yield param, value

    def _call(self, node: Node, tops: Counter[str]) -> list[str]:
        spec = self._catalog.get(node.type)
        sockets = {**dict.fromkeys(spec.input_by_name if spec else ()), **node.inputs}
        wires = {name: link for name in sockets if (link := node.inputs.get(name))}
        given = {name: self._names[link] for name, link in wires.items() if link in self._names}
        known = {param.name for param, _ in self._values(node)}
        on_top = {param.name for param, _ in self._on_top(node)}
        for param, value in self._values(node):
            if param.name in on_top:
                said = param.name if tops[param.name] == 1 else f"{node.id}_{param.name}"
                name = self._free(said.upper())
                self._constants[name] = _literal(value, len(name) + 3)
                given[param.name] = name
            elif value != param.default:
                given[param.name] = _literal(value, 0)
        # Of a node that is not known nothing but what stands in the graph.
        given |= {
            name: _literal(value, 0)
            for name, value in node.params.items()
            if name not in known and name not in node.inputs and node.type not in self._catalog
        }
        target, arguments = self._targets(node), [_argument(*item) for item in given.items()]
        method = node.type.removeprefix(_CORE)
        call = f"graph.{method}("
        if method == node.type or not method.isidentifier():
            call = "graph.add("
            arguments.insert(0, repr(node.type))
        lines = [f"# {_one_line(node.title)}"] if node.title else []
        whole = f"{target}{call}{', '.join(arguments)})"
        if len(whole) <= WIDTH:
            return [*lines, whole]
        return [*lines, f"{target}{call}", *(f"    {argument}," for argument in arguments), ")"]

    def _targets(self, node: Node) -> str:
        """The names that its outputs get."""
        spec = self._catalog.get(node.type)
        outputs = [output.name for output in spec.outputs] if spec else []
        if not any(Link(node.id, output) in self._used for output in outputs):
            return ""
        names = []
        for output in outputs:
            link = Link(node.id, output)
            if link not in self._used:
                names.append("_")
                continue
            alone = node.id if len(outputs) == 1 else f"{node.id}_{output}"
            said = output if self._shared[output] == 1 else alone
            self._names[link] = self._free(said)
            names.append(self._names[link])
        return f"{', '.join(names)} = "

    def _free(self, said: str) -> str:
        """A name that no other has."""
        first = _NO_NAME.sub("_", said)
        first = first if first.isidentifier() else f"_{first}"
        names = chain((first,), map(f"{first}_{{}}".format, count(2)))
        name = next(name for name in names if name not in self._taken)
        self._taken.add(name)
        return name


def _argument(name: str, value: str) -> str:
    """By its name, which in a file may be any text."""
    named = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    return f"{name}={value}" if named else f"**{{{name!r}: {value}}}"


def _literal(value: Any, column: int) -> str:
    """The value as Python writes it; a text of several lines a line each."""
    if isinstance(value, str) and "\n" in value.strip("\n"):
        lines = value.splitlines(keepends=True)
        return "\n".join(["(", *(f"    {_quoted(line)}" for line in lines), ")"])
    if isinstance(value, list) and len(repr(value)) + column > WIDTH:
        return "\n".join(["[", *(f"    {item!r}," for item in value), "]"])
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """In double quotes, where none are in it."""
    said = repr(text)
    return f'"{said[1:-1]}"' if said[0] == "'" and '"' not in text else said


def _one_line(text: str) -> str:
    """A text that ends neither a comment nor the string that it stands in."""
    text = " ".join(text.split()).replace("\\", "/").replace('"', "'")
    return "".join(letter for letter in text if letter.isprintable())
