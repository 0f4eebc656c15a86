"""`--set NODE.PARAM=VALUE`: params of a graph changed for one run."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.errors import MissingFile, ParamType, UnknownNode, UnknownParam, UsageError
from ponystudio.graph.model import Graph
from ponystudio.library.folders import Folders

SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# How VALUE is read, by the type of the param; text, choices and file names are taken literally.
READERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "int": (int, "a whole number"),
    "seed": (int, "a whole number"),
    "float": (float, "a number"),
    "bool": (lambda text: SWITCH[text.lower()], "true or false"),
    "rows": (json.loads, "a JSON list of rows"),
}


def apply(
    graph: Graph, settings: Iterable[str], catalog: Mapping[str, NodeSpec], folders: Folders
) -> Graph:
    """The graph with every setting applied, the last one winning.

    Raises UsageError for what is no NODE.PARAM=VALUE or could have no effect, UnknownNode,
    UnknownParam, ParamType.
    """
    for setting in settings:
        id, name, value = _split(setting)
        node = graph.nodes.get(id)
        if node is None:
            raise UnknownNode(
                f"There is no node {id}.", where=setting, remedy=_near(id, graph.nodes)
            )
        if name in node.inputs:
            source = node.inputs[name]
            raise UsageError(
                f"{id}.{name} takes its value from the wire from {source.source}.",
                where=setting,
                remedy=f"Set a param of {source.source}, or take the wire out of the graph.",
            )
        spec = catalog.get(node.type)
        if spec is not None:  # what a node without a spec lacks is told by the check
            if name not in spec.param_by_name:
                raise UnknownParam(
                    f"{id} ({node.type}) has no param {name}.",
                    where=setting,
                    remedy=_near(name, spec.param_by_name),
                )
            value = _read(spec.param_by_name[name], value, setting, folders)
        graph = graph.with_nodes([replace(node, params={**node.params, name: value})])
    return graph


def _split(setting: str) -> tuple[str, str, Any]:
    target, equals, value = setting.partition("=")
    id, dot, name = target.partition(".")
    if not (equals and dot and id and name):
        raise UsageError(f"--set {setting} cannot be read.", remedy="Write it as NODE.PARAM=VALUE.")
    return id, name, value


def _read(spec: ParamSpec, text: str, setting: str, folders: Folders) -> Any:
    if spec.type == "file":
        return _file(spec.kind, text, folders)
    if spec.type not in READERS:
        return text
    read, wanted = READERS[spec.type]
    try:
        return read(text)
    except (ValueError, KeyError):
        raise ParamType(f"{text!r} is not {wanted}.", where=setting) from None


def _file(kind: str, text: str, folders: Folders) -> str:
    """A name in the model folders stays; else a path is taken from where the user stands."""
    try:
        folders.resolve(kind, text)
    except MissingFile:
        path = Path(text).absolute()
        return str(path) if path.exists() else text
    return text


def _near(word: str, words: Iterable[str]) -> str:
    choice = sorted(words)
    near = difflib.get_close_matches(word, choice, 1)
    return f"Did you mean {near[0]}?" if near else f"It has {', '.join(choice) or 'none'}."
