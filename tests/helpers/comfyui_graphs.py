"""Graphs of ComfyUI's in both of its forms, and what they come to here, written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.comfyui.mapping import signatures

Wired = Mapping[str, tuple[int, int]]


def api(**nodes: Any) -> dict[str, Any]:
    """An API document of (class, inputs) by id n1, n2, ...; (id, slot) is a wire."""
    return {
        name.removeprefix("n"): {
            "class_type": type,
            "inputs": {
                key: [str(value[0]), value[1]] if isinstance(value, tuple) else value
                for key, value in inputs.items()
            },
        }
        for name, (type, inputs) in nodes.items()
    }


def ui(**nodes: Any) -> dict[str, Any]:
    """A workflow of (class, values in order, wires by input) by id n1, n2, ...; wires are optional,
    and may stand in a mapping together with properties."""
    links: list[list[Any]] = []
    found = []
    for name, (type, values, *rest) in nodes.items():
        wires: Wired = rest[0] if rest else {}
        inputs = []
        for place, (key, (source, slot)) in enumerate(wires.items()):
            links.append([len(links) + 1, source, slot, int(name[1:]), place, "*"])
            inputs.append({"name": key, "type": "*", "link": len(links)})
        known = signatures().get(type)
        outputs = [{"name": out, "type": "*"} for out, _ in known.outputs] if known else []
        found.append(
            {
                "id": int(name[1:]),
                "type": type,
                "mode": 0,
                "inputs": inputs,
                "outputs": outputs,
                "properties": {},
                "widgets_values": values,
            }
        )
    return {"nodes": found, "links": links, "version": 0.4}


def written_out(document: Mapping[str, Any]) -> dict[str, Any]:
    """Type, params and links of each node of ours; a link is "id.output"."""
    return {
        id: (
            node.type,
            dict(node.params),
            {name: f"{link.source}.{link.output}" for name, link in node.inputs.items()},
        )
        for id, node in import_document(document).graph.nodes.items()
    }


def told(document: Mapping[str, Any]) -> list[str]:
    """What an import has to say."""
    return [remark.text for remark in import_document(document).remarks]
