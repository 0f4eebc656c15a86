"""`--set NODE.PARAM=VALUE`: params of a graph changed for one run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from ponystudio.api import NodeSpec, ParamSpec
from ponystudio.errors import MissingFile, UnknownNode, UnknownParam, UnsafePath, UsageError
from ponystudio.graph.catalog import did_you_mean
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio.system.file_names import absolute, as_stored

SWITCH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
# How VALUE is read, by the type of the param; text and choices are taken literally.
READERS: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "seed": int,
    "float": float,
    "bool": lambda text: SWITCH[text.lower()],
    "rows": json.loads,
}


def set_params(
    graph: Graph, settings: Iterable[str], catalog: Mapping[str, NodeSpec], folders: ModelFolders
) -> Graph:
    """The graph with every setting applied, the last one winning.

    A VALUE that cannot be read as its param wants it stays a text, for the check to refuse.
    Raises UsageError for what is no NODE.PARAM=VALUE or could have no effect, UnknownNode,
    UnknownParam, ParamRange for infinities and NaN.
    """
    for setting in settings:
        id, name, value = _split(setting)
        node = graph.nodes.get(id)
        if node is None:
            raise UnknownNode(
                f"The graph has no node {id}.",
                where=f"--set {setting}",
                remedy=did_you_mean(id, graph.nodes)
                or f"It has: {', '.join(graph.nodes) or 'none'}.",
            )
        spec = catalog.get(node.type)
        if name in node.inputs:
            raise UsageError(
                "This param takes its value from a wire, which would win over this one.",
                where=f"--set {setting}",
                remedy=f"Set a param of {node.inputs[name].source}, where the wire comes from.",
            )
        if spec:
            if name not in spec.param_by_name:
                raise UnknownParam(
                    f"{spec.id} has no param {name}.",
                    where=f"--set {setting}",
                    remedy=did_you_mean(name, spec.param_by_name)
                    or f"It has: {', '.join(spec.param_by_name) or 'none'}.",
                )
            value = _read(spec.param_by_name[name], value, folders)
        graph, _ = SetParam(id, name, value).apply(graph)
    return graph


def _split(setting: str) -> tuple[str, str, Any]:
    target, equals, value = setting.partition("=")
    id, dot, name = target.partition(".")
    if not (equals and dot and id and name):
        raise UsageError(f"--set {setting} cannot be read.", remedy="Write it as NODE.PARAM=VALUE.")
    return id, name, value


def _read(spec: ParamSpec, text: str, folders: ModelFolders) -> Any:
    if spec.type == "file":
        return _file(spec.kind, text, folders)
    if spec.type not in READERS:
        return text
    try:
        return READERS[spec.type](text)
    except (ValueError, KeyError, RecursionError):
        return text


def _file(kind: str, text: str, folders: ModelFolders) -> str:
    """A name in the model folders stays; else a path is taken from where the user stands."""
    if not text:  # an empty path would be where the user stands
        return text
    try:
        folders.resolve(kind, text)
    except UnsafePath:  # for the check to refuse, untouched
        return text
    except MissingFile:
        with suppress(UsageError):  # the working folder is gone: nothing is there
            path = as_stored(absolute(text))
            return str(path) if os.path.exists(path) else text  # noqa: PTH110
    return text
