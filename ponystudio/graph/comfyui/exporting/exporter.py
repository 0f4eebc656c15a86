"""A graph of ours as one of ComfyUI, and what cannot be said there.

A graph that was imported keeps the documents that it came from. Where nothing was changed since,
these are the export; where only values, titles, modes and places were, they are with those in them,
and all that is not known here stays; else the nodes that are still there keep what else is said of
them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.errors import GraphFileError, listed
from ponystudio.graph.comfyui import api_format, workflow_format
from ponystudio.graph.comfyui.core_nodes import Signature
from ponystudio.graph.comfyui.exporting.kept_source import Changes, KeptSource, kept_sources
from ponystudio.graph.comfyui.exporting.standing_parts import StandingParts
from ponystudio.graph.comfyui.exporting.target_graph import TargetGraph, TargetNode, translate
from ponystudio.graph.comfyui.exporting.workflow_writer import (
    WorkflowWriter,
    copied,
    laid_out,
    socket_type,
)
from ponystudio.graph.comfyui.importer import OWN_CLASS, SOURCE, Remark, import_documents
from ponystudio.graph.comfyui.source_graph import (
    OWN_GRAPH,
    SourceNode,
    Wire,
    inside,
    objects,
    text,
)
from ponystudio.graph.formats import graph_file
from ponystudio.graph.graph_shape import shape
from ponystudio.graph.model import Graph
from ponystudio.graph.topology import effective

OWN_FAMILIES = "ponystudio_families"
# Of a document of theirs what says something of nodes and links that are written anew.
_OF_NODES = ("nodes", "links", "floatingLinks", "reroutes", "definitions", "subgraphs", "groups")
_EXTRA_OF_NODES = ("groupNodes", "linkExtensions", "reroutes", "ue_links", "links_added_by_ue")
_UNKNOWN: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Exported:
    """A document of ComfyUI's, as plain JSON values, and what is known to differ from the graph."""

    document: Mapping[str, Any]
    remarks: tuple[Remark, ...] = ()


def export_prompt(
    graph: Graph, catalog: Mapping[str, NodeSpec], families: Mapping[str, str] = _UNKNOWN
) -> Exported:
    """The graph in the API format: what runs of it, without muted and bypassed nodes.

    `families` are those of models, by the names of their files, where these were looked into.
    Raises Cycle for a graph whose nodes wait for each other.
    """
    kept = list(kept_sources(graph, catalog, "prompt"))
    for source in kept:
        if source.is_untouched(looks=False):
            return Exported(source.documents["prompt"])
    for source in kept:
        prompt = source.documents["prompt"]
        changes = source.changes(api_format.classes(prompt))
        if changes is not None and not changes.modes:
            return Exported(_changed(prompt, changes), tuple(changes.remarks))
    kept += kept_sources(graph, catalog, "workflow")
    classes, ids = _known(next(iter(kept), None))
    target = translate(
        effective(graph, catalog), catalog, classes=classes, ids=ids, families=families
    )
    nodes = [_source_node(node, catalog) for node in _understood(target)]
    return Exported(api_format.write(nodes), tuple(target.remarks))


def _understood(target: TargetGraph) -> list[TargetNode]:
    """Its nodes without those of ours that nothing reads: for one class that it does not know the
    server refuses all of a graph."""
    found: list[TargetNode] = []
    read: set[str] = set()
    for node in reversed(target.nodes.values()):
        if node.id in read or not node.type.startswith(OWN_CLASS):
            found.append(node)
            read |= {wire.source for wire in node.inputs.values() if isinstance(wire, Wire)}
    return found[::-1]


def export_workflow(
    graph: Graph, catalog: Mapping[str, NodeSpec], families: Mapping[str, str] = _UNKNOWN
) -> Exported:
    """The graph in the format of ComfyUI's editor, with places, frames, notes, and itself.

    `families` as for the other. Raises Cycle for a graph whose nodes wait for each other.
    """
    source = next(kept_sources(graph, catalog, "workflow"), None)
    if source is None:
        kept = next(kept_sources(graph, catalog, "prompt"), None)
        return _written(graph, catalog, kept, families)
    document = source.documents["workflow"]
    if source.is_untouched(looks=True):
        return Exported(document)
    changes = source.changes(workflow_format.classes(document))
    if changes is None:
        rejoined = _rejoined(graph, catalog, source, families)
        return rejoined or _written(graph, catalog, source, families)
    writer = WorkflowWriter(document)
    for id, values in changes.values.items():
        writer.set_values(id, values)
    for id, mode in changes.modes.items():
        writer.set_mode(id, mode)
    _change_looks(writer, changes, source, graph)
    return Exported(_with_itself(writer.finish(), graph, catalog, families), tuple(changes.remarks))


def _rejoined(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    source: KeptSource,
    families: Mapping[str, str],
) -> Exported | None:
    """The document, in which subgraphs that nobody touched stand; None for one without such, and
    where it would come to another graph."""
    parts = StandingParts(graph, source)
    if not parts.has_inner_graphs or parts.is_wired_by_rules:
        return None
    nodes = {text(node.get("id")): node for node in objects(parts.document, "nodes")}
    classes, ids = _known(source)
    ids = {ours: id for ours, id in ids.items() if id in parts.gone}
    target = translate(
        graph,
        catalog,
        only=parts.fresh,
        known=parts.known,
        classes=classes,
        ids=ids,
        named=_output_names(nodes, ids),
        families=families,
        first=workflow_format.last_id(parts.document) + 1,
    )
    handed_on = parts.handed_on(target)
    if handed_on is None or parts.lacks(target):
        return None
    writer = WorkflowWriter(parts.base(), _sockets(target, catalog), graph.models)
    _add(target, writer, graph, {id: nodes[id] for id in ids.values()})
    for link, wire in handed_on.items():
        writer.lead(link, wire)
    looks = Changes()
    for id in graph.nodes.keys() - parts.fresh:
        source.add_looks(id, nodes.keys() - parts.gone, looks)
    _change_looks(writer, looks, source, graph)
    document = _with_itself(writer.finish(), graph, catalog, families)
    try:
        again = import_documents(workflow=document).graph
    except GraphFileError:
        return None
    if shape(again, catalog) != shape(graph, catalog):
        return None
    return Exported(document, tuple(target.remarks))


def _add(
    target: TargetGraph,
    writer: WorkflowWriter,
    graph: Graph,
    like: Mapping[str, Mapping[str, Any]],
) -> None:
    """The nodes and their wires; `like`: those of theirs that they were, by id."""
    for node, place in laid_out(target.nodes.values(), inside(graph.view, "nodes")):
        writer.add(node, place, None if node.beside else like.get(node.id))
    for node in target.nodes.values():
        for name, value in node.inputs.items():
            if isinstance(value, Wire):
                writer.connect(value, node.id, name)


def _change_looks(
    writer: WorkflowWriter, changes: Changes, source: KeptSource, graph: Graph
) -> None:
    for id, title in changes.titles.items():
        writer.set_title(id, title)
    for id, by in changes.moved.items():
        writer.move(id, by)
    writer.change_frames(source.before.view.get("frames", ()), graph.view.get("frames", ()))
    writer.change_notes(source.before.view.get("notes", ()), graph.view.get("notes", ()))


def _output_names(
    nodes: Mapping[str, Mapping[str, Any]], ids: Mapping[str, str]
) -> dict[str, list[str]]:
    return {
        ours: [text(output.get("name")) for output in objects(nodes.get(id, {}), "outputs")]
        for ours, id in ids.items()
    }


def _written(
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    source: KeptSource | None,
    families: Mapping[str, str],
) -> Exported:
    """All of it anew, with what else the document that it came from says of it, and of nodes that
    are still there."""
    document: Mapping[str, Any] = source.documents.get("workflow", {}) if source else {}
    classes, ids = _known(source)
    nodes = {text(node.get("id")): node for node in objects(document, "nodes")}
    named = _output_names(nodes, ids)
    first = workflow_format.last_id(document) + 1
    target = translate(
        graph, catalog, classes=classes, ids=ids, named=named, families=families, first=first
    )
    base = {name: value for name, value in document.items() if name not in _OF_NODES}
    if document:
        extra = inside(document, "extra")
        base["extra"] = {name: said for name, said in extra.items() if name not in _EXTRA_OF_NODES}
        if inner := workflow_format.inner_graphs(document):
            said = f"the insides of {listed(inner.values())} stand there among the other nodes"
            target.remarks.append(Remark("", said))
    writer = WorkflowWriter(base, _sockets(target, catalog), graph.models)
    _add(target, writer, graph, {id: nodes[id] for id in ids.values() if id in nodes})
    writer.change_frames((), graph.view.get("frames", ()))
    writer.change_notes((), graph.view.get("notes", ()))
    return Exported(_with_itself(writer.finish(), graph, catalog, families), tuple(target.remarks))


def _known(source: KeptSource | None) -> tuple[dict[str, str], dict[str, str]]:
    """The classes and ids of theirs that nodes of ours were made of, where they still stand in the
    graph by themselves."""
    if source is None:
        return {}, {}
    form = "workflow" if "workflow" in source.documents else "prompt"
    how = workflow_format if form == "workflow" else api_format
    known = how.classes(source.documents[form])
    classes: dict[str, str] = {}
    ids: dict[str, str] = {}
    for ours, theirs in source.imported.sources.items():
        if found := [id for id in theirs if id in known]:
            classes[ours], ids[ours] = known[found[-1]], found[-1]
    return classes, ids


def _with_itself(
    document: dict[str, Any],
    graph: Graph,
    catalog: Mapping[str, NodeSpec],
    families: Mapping[str, str],
) -> dict[str, Any]:
    """The document with the graph in it, and an id that is the same for the same graph."""
    extra = {name: value for name, value in graph.extra.items() if name != SOURCE}
    own = graph_file.to_json(replace(graph, extra=extra), catalog)
    document["extra"] = {**inside(document, "extra"), OWN_GRAPH: own}
    if families:  # by them the same is written again
        document["extra"][OWN_FAMILIES] = dict(families)
    id = str(uuid.uuid5(uuid.NAMESPACE_OID, graph_file.lay_out(own)))
    return {"id": id, "revision": 0, **document}


def _changed(prompt: Any, changes: Changes) -> dict[str, Any]:
    """What ran, with other values."""
    document: dict[str, Any] = copied(prompt)
    nodes = api_format.nodes_of(document)
    for id, values in changes.values.items():
        inputs = nodes[id]["inputs"]
        inputs |= {name: api_format.literal(value) for name, value in values.items()}
    for id, title in changes.titles.items():
        nodes[id]["_meta"] = {
            **inside(nodes[id], "_meta"),
            "title": title or nodes[id]["class_type"],
        }
    # They may have stood in a text within the document.
    return document if api_format.nodes_of(document) == nodes else dict(nodes)


def _sockets(target: TargetGraph, catalog: Mapping[str, NodeSpec]) -> dict[str, Signature]:
    """What goes into nodes of ours that ComfyUI has none for, and what comes out."""
    found: dict[str, Signature] = {}
    for node in target.nodes.values():
        spec = catalog.get(node.type.removeprefix(OWN_CLASS))
        if spec and node.type.startswith(OWN_CLASS):
            inputs = [(item.name, socket_type(item.type), 0) for item in spec.inputs]
            for param in spec.params:
                inputs.append(
                    (param.name, socket_type(param.type), 2 if param.type == "seed" else 1)
                )
            outputs = tuple((item.name, socket_type(item.type)) for item in spec.outputs)
            found[node.type] = Signature(tuple(inputs), outputs)
    return found


def _source_node(node: TargetNode, catalog: Mapping[str, NodeSpec]) -> SourceNode:
    spec = catalog.get(node.type.removeprefix(OWN_CLASS)) if OWN_CLASS in node.type else None
    outputs = tuple(output.name for output in spec.outputs) if spec else ()
    return SourceNode(node.id, node.type, node.title, node.inputs, outputs)
