"""A workflow, and what ran of it: a picture of ComfyUI's carries both.

The workflow has the layout; what ran has the values that were used, after wildcards were drawn and
seeds rolled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponystudio.errors import GraphFileError
from ponystudio.graph.comfyui import api_format, workflow_format
from ponystudio.graph.comfyui.source_graph import SourceGraph, SourceNode, Wire, inside, parsed
from ponystudio.graph.plain_json import shown


def read(workflow: Any, prompt: Any) -> SourceGraph:
    """The graph of either or both: nodes, wires and places of the workflow, values of what ran; a
    difference is told. Raises GraphFileError where nothing can be read."""
    if prompt is None:
        return workflow_format.read(workflow)
    if workflow is None:
        return api_format.read(prompt)
    try:
        drawn = workflow_format.read(workflow)
    except GraphFileError as error:
        ran = api_format.read(prompt)
        said = f"its layout cannot be read: {error.what}"
        return replace(ran, remarks=(("", said), *ran.remarks))
    try:
        return _Comparison(drawn, api_format.read(prompt)).as_run()
    except GraphFileError as error:
        said = f"what ran of it cannot be read: {error.what}"
        return replace(drawn, remarks=(("", said), *drawn.remarks))


def workflow_in(document: Any) -> Any:
    """The workflow that a document has inside, as a value or as a text: a request to ComfyUI's
    server has it beside what is to run. None for none."""
    if isinstance(document, str):
        document = parsed(document)
        if workflow_format.looks_like(document):
            return document
    if not isinstance(document, Mapping):
        return None
    for holder in (document, inside(inside(document, "extra_data"), "extra_pnginfo")):
        found = holder.get("workflow")
        found = parsed(found) if isinstance(found, str) else found
        if workflow_format.looks_like(found):
            return found
    return None


class _Comparison:
    def __init__(self, drawn: SourceGraph, ran: SourceGraph) -> None:
        self._drawn, self._ran = drawn, ran
        self._remarks: list[tuple[str, str]] = []

    def as_run(self) -> SourceGraph:
        nodes = {id: self._node(node) for id, node in self._drawn.nodes.items()}
        for id, other in self._ran.nodes.items():
            if id not in nodes:
                self._remarks.append(("", f"{other.type} {id} ran, and is not in the layout"))
        return replace(self._drawn, nodes=nodes, remarks=(*self._drawn.remarks, *self._remarks))

    def _node(self, node: SourceNode) -> SourceNode:
        other = self._ran.nodes.get(node.id)
        if other is None:
            return node
        if other.type != node.type:
            self._remarks.append((node.id, f"it was {other.type} when it ran"))
            return node
        inputs = dict(node.inputs)
        if other.values():  # those without names say nothing beside those with
            inputs.pop("widgets_values", None)
        for name, value in other.inputs.items():
            drawn = inputs.get(name)
            source = self._source(drawn)
            if self._leads(source) if isinstance(source, Wire) else isinstance(value, Wire):
                if source != value:
                    self._tell(node, name, value)
                continue
            if isinstance(value, Wire) and value.source not in self._drawn.nodes:
                continue
            if name in inputs and source != value and not isinstance(source, Wire):
                self._tell(node, name, value)
            inputs[name] = value
        return replace(node, inputs=inputs)

    def _source(self, drawn: Any) -> Any:
        """What an input comes from, through bypassed nodes, which do not run."""
        seen: set[Wire] = set()
        while isinstance(drawn, Wire) and drawn not in seen:
            node = self._drawn.nodes.get(drawn.source)
            if node is None or node.mode != "bypassed":
                break
            seen.add(drawn)
            drawn = node.passes.get(drawn.slot)
        return drawn

    def _leads(self, wire: Wire) -> bool:
        """Whether a wire of the layout comes from a node that ran; else it is one that wires others
        and that only the editor knows, and what ran says what it wired."""
        return wire.source in self._ran.nodes

    def _tell(self, node: SourceNode, name: str, ran: Any) -> None:
        was = f"from node {shown(ran.source)}" if isinstance(ran, Wire) else shown(ran)
        self._remarks.append((node.id, f"{name} was {was} when it ran"))
