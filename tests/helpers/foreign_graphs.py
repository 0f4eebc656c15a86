"""Documents of ComfyUI's, written short, and what they are here, written out in full.

    workflow(
        ui(4, "CheckpointLoaderSimple", ["a.safetensors"], outs="MODEL CLIP VAE"),
        ui(3, "KSampler", [7, "fixed", 20], ins="model:MODEL seed:INT="),
        wires="4.0>3.0",
    )

Behind an input that is a value's stands a =; a ~ in a name is a space.
"""

from __future__ import annotations

import copy
from random import Random
from textwrap import fill
from typing import Any

from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.model import Graph

UUID = "8f5f4a0c-0000-4000-8000-00000000000{}"


def ui(
    id: int | str, type: str, values: Any = None, *, ins: str = "", outs: str = "", **more: Any
) -> dict[str, Any]:
    """A node of a workflow: its inputs are `name:TYPE`, its outputs types, which are names too."""
    inputs: list[dict[str, Any]] = []
    for said in ins.split():
        name, _, kind = said.rstrip("=").replace("~", " ").partition(":")
        item: dict[str, Any] = {"name": name, "type": kind, "link": None}
        if said.endswith("="):
            item["widget"] = {"name": name}
        inputs.append(item)
    outputs = [{"name": kind, "type": kind, "links": []} for kind in outs.split()]
    node: dict[str, Any] = {"id": id, "type": type, "inputs": inputs, "outputs": outputs, **more}
    return node if values is None else {**node, "widgets_values": values}


def _wired(nodes: tuple[dict[str, Any], ...], wires: str) -> list[tuple[int, str, int, str, int]]:
    """The links that wires say, which are told to the inputs at their ends."""
    by_id = {str(node["id"]): node for node in nodes}
    links = []
    for number, wire in enumerate(wires.split(), 1):
        start, end = wire.split(">")
        source, _, out = start.rpartition(".")
        target, _, place = end.rpartition(".")
        if target in by_id:
            by_id[target]["inputs"][int(place)]["link"] = number
        links.append((number, source, int(out), target, int(place)))
    return links


def workflow(*nodes: dict[str, Any], wires: str = "", **more: Any) -> dict[str, Any]:
    """A workflow whose wires are `from.output>to.input`."""
    links = [[*link, "*"] for link in _wired(nodes, wires)]
    return {"nodes": list(nodes), "links": links, "version": 0.4, **more}


def subgraph(
    *nodes: dict[str, Any], wires: str = "", ins: str = "", outs: str = "", id: int = 1, **more: Any
) -> dict[str, Any]:
    """A definition of a subgraph; -10 is where wires come in, -20 where they go out."""
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    links = [dict(zip(names, link, strict=True)) for link in _wired(nodes, wires)]
    ports = [
        [{"name": name, "type": kind} for name, _, kind in (said.partition(":") for said in side)]
        for side in (ins.split(), outs.split())
    ]
    return {
        "id": UUID.format(id), "nodes": list(nodes), "links": links,
        "inputs": ports[0], "outputs": ports[1], **more,
    }  # fmt: skip


def api(**nodes: tuple[Any, ...]) -> dict[str, Any]:
    """An API document of (class, inputs) by id n1, n2, ..., a wire being "@1.0"."""
    return {
        id.removeprefix("n"): {
            "class_type": type,
            "inputs": {name: _api_value(value) for name, value in inputs.items()},
        }
        for id, (type, inputs) in nodes.items()
    }


def _api_value(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("@"):
        source, _, out = value[1:].rpartition(".")
        return [source, int(out)]
    return value


def written_out(document: Any) -> str:
    """A graph as a line for each of its nodes, then its notes, then what was said of it; lines that
    are long go on, indented."""
    imported = import_document(document)
    lines = nodes_written_out(imported.graph)
    lines += [f"note {note['text']!r}" for note in imported.graph.view.get("notes", ())]
    for remark in imported.remarks:
        lines.append(f"! {remark.node}: {remark.text}" if remark.node else f"! {remark.text}")
    return "\n".join(
        fill(line, 96, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


def nodes_written_out(graph: Graph) -> list[str]:
    """Each node by its id: its type, its mode where it is not normal, its values and its wires."""
    lines = []
    for id, node in sorted(graph.nodes.items()):
        said = [f"{name}={value!r}" for name, value in sorted(node.params.items())]
        said += [
            f"{name}<{link.source}.{link.output}" for name, link in sorted(node.inputs.items())
        ]
        mode = [] if node.mode == "normal" else [node.mode]
        lines.append(" ".join([f"{id}: {node.type}", *mode, *said]))
    return lines


def sections(said: str) -> dict[str, str]:
    """The parts of a text by the headings above them, which begin with ##."""
    parts = (part.partition("\n") for part in said.strip().removeprefix("## ").split("\n## "))
    return {name: text.strip("\n") for name, _, text in parts}


ODD = (None, True, -1, 7, 99999, 1.5, 1e300, float("inf"), float("nan"), 10**400, "", "--5", "²",
       "fixed", [], {}, [[]], {"a": 1}, ["4", 0], "\ud800", "-10", -20, "1:",
       UUID.format(1))  # fmt: skip


def mutate(document: Any, rng: Random) -> None:
    """Replaces a value by an odd one or by another's, or takes it out."""
    places: list[tuple[Any, Any]] = []
    rest = [document]
    while rest:
        there = rest.pop()
        for key in there if isinstance(there, dict) else range(len(there)):
            places.append((there, key))
            if isinstance(there[key], dict | list):
                rest.append(there[key])
    if places:
        there, key = rng.choice(places)
        if rng.random() < 0.7:
            there[key] = copy.deepcopy(rng.choice(ODD))
        elif rng.random() < 0.5:
            del there[key]
        else:
            other, place = rng.choice(places)
            there[key] = copy.deepcopy(other[place])
