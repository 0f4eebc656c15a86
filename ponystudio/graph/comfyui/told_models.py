"""What a workflow says of the model files that it names: where they can be had, and their hashes.

Nodes list them as `properties.models`, older files all of them at once as `models`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.comfyui.source_graph import inside, objects, text
from ponystudio.graph.file_uses import file_uses
from ponystudio.graph.model import Graph
from ponystudio.graph.model_facts import DIGITS, hexadecimal, kind_of_hash, page_of, with_facts

# Of a workflow; all lists of them together.
_MOST = 1000
# Folders that ComfyUI calls otherwise.
_KINDS = {"unet": "diffusion_models", "clip": "text_encoders", "t2i_adapter": "controlnet"}


def told_models(graph: Graph, catalog: Mapping[str, NodeSpec], workflow: Any) -> Mapping[str, Any]:
    """`Graph.models` with what a workflow says of the files that the graph names: a file is told by
    its name in whichever folder, and by its kind where two kinds have one of that name."""
    if not isinstance(workflow, Mapping):
        return graph.models
    told: dict[str, list[Mapping[str, Any]]] = {}
    for number, row in enumerate(_rows(workflow)):
        if number >= _MOST:
            break
        if name := text(row.get("name")):
            told.setdefault(_last(name), []).append(row)
    models: Mapping[str, Any] = graph.models
    for use in file_uses(graph, catalog) if told else ():
        rows = told.get(_last(use.name), [])
        for row in [row for row in rows if _kind(row) == use.kind] or rows[:1]:
            if facts := _facts(row, use.kind):
                models = with_facts(models, use.kind, use.name, facts)
    return models


def _rows(workflow: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    inner = objects(inside(workflow, "definitions"), "subgraphs")
    for graph in (workflow, *inner):
        for node in objects(graph, "nodes"):
            yield from objects(inside(node, "properties"), "models")
        yield from objects(graph, "models")


def _facts(row: Mapping[str, Any], kind: str) -> dict[str, str]:
    found: dict[str, str] = {}
    hash, how = hexadecimal(row.get("hash")), text(row.get("hash_type")).lower().replace("-", "")
    how = how if len(hash) == DIGITS.get(how) else kind_of_hash(hash, kind)
    if how:
        found[how] = hash
    if page := page_of(row):
        found["url"] = page
    return found


def _kind(row: Mapping[str, Any]) -> str:
    """Of the folder that it belongs into."""
    folder = text(row.get("directory")).replace("\\", "/").partition("/")[0].lower()
    return _KINDS.get(folder, folder)


def _last(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name.lower()
