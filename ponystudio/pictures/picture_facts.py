"""How a picture was made, as far as what is written in it says: its graph, its receipt, or what
other programs write. Strangers write all of these, so this is for the reader's process alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from ponystudio.errors import PonyStudioError
from ponystudio.graph.comfyui.importer import import_document, is_comfyui
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.embedded_metadata import GRAPH, RECEIPT
from ponystudio.graph.formats.xmp_packet import SOURCE_TYPE
from ponystudio.graph.generation.generation_reading import document_of, params_in
from ponystudio.graph.generation.json_values import number, whole
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import ancestors
from ponystudio.pictures.reader_protocol import PictureFacts, PictureHead
from ponystudio.system.file_names import model_name
from ponystudio.system.json_reader import read_json

MOST_FILES = 200
"""Of a picture's models, how many are handed on."""

# Letters of a prompt, and of anything else, that are handed on.
LONGEST_PROMPT, LONGEST_WORD = 100_000, 1000


def facts_in(fields: Mapping[str, str], head: PictureHead | None) -> PictureFacts:
    """What the texts of a picture say; whatever they are, it is short."""
    known = _from_graph(fields)
    if "graph_hash" not in known:
        known = _from_texts(fields) | known
    known["source_type"] = fields.get(SOURCE_TYPE, "")
    if head is not None:
        known |= {"width": head.width, "height": head.height}
    return PictureFacts(**{name: _short(name, value) for name, value in known.items()})


def _short(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return value[: LONGEST_PROMPT if name in ("prompt", "negative") else LONGEST_WORD]
    if isinstance(value, tuple):
        return tuple(file[:LONGEST_WORD] for file in value[:MOST_FILES])
    return value


def _graph(fields: Mapping[str, str]) -> Graph | None:
    if GRAPH not in fields:
        return None
    try:
        return graph_format.loads(fields[GRAPH])
    except PonyStudioError:
        return None


# --- From the graph -------------------------------------------------------------------------------


def _from_graph(fields: Mapping[str, str]) -> dict[str, Any]:
    receipt = _receipt(fields.get(RECEIPT, ""))
    environment = receipt.get("environment")
    models = receipt.get("models")
    known: dict[str, Any] = {"receipt": bool(receipt), "node": _text(receipt.get("node"))}
    if isinstance(models, dict):
        known["files"] = tuple(sorted({_stem(name) for name in models}))
        known["licences"] = tuple(_licences(models))
    if isinstance(environment, dict):
        known |= {name: _text(environment.get(name)) for name in ("device", "dtype")}
    graph = _graph(fields)
    if graph is None:
        return known
    known["graph_hash"] = graph_hash(graph)
    return known | _made_by(graph, known["node"], models)


def _licences(models: Mapping[str, Any]) -> Iterator[str]:
    """Of those whose terms are known, in a line each."""
    for name, model in sorted(models.items()):
        terms = _text(model.get("licence")) if isinstance(model, dict) else ""
        if terms:
            yield " ".join(f"{_stem(name)}: {terms}".split())


def graph_hash(graph: Graph) -> str:
    """Equal for graphs that make the same: of their nodes, without their layout and titles."""
    nodes = {
        id: [
            node.type,
            node.version,
            dict(node.params),
            node.mode,
            {name: [link.source, link.output] for name, link in node.inputs.items()},
        ]
        for id, node in graph.nodes.items()
    }
    text = json.dumps(nodes, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _made_by(graph: Graph, node: str, models: object) -> dict[str, Any]:
    """What the nearest sampler before the node that saved says; {} if there was none."""
    roots = [node] if node in graph.nodes else list(_ends(graph))
    sampler = next(
        (
            found
            for found in _upstream(graph, roots)
            if "seed" in found.params and "steps" in found.params
        ),
        None,
    )
    if sampler is None:
        return {}
    params = sampler.params
    known: dict[str, Any] = {
        "prompt": _prompt(graph, sampler, "positive"),
        "negative": _prompt(graph, sampler, "negative"),
        "sampler": _text(params.get("sampler")),
        "scheduler": _text(params.get("scheduler")),
        "seed": whole(params.get("seed")),
        "steps": whole(params.get("steps")),
        "cfg": number(params.get("cfg")),
    }
    file = _model_file(graph, sampler)
    entry = models.get(file) if isinstance(models, dict) else None
    known["model"] = _stem(file)
    known["model_hash"] = _text(entry.get("sha256"))[:12] if isinstance(entry, dict) else ""
    return known


def _ends(graph: Graph) -> Iterator[str]:
    """Nodes that feed no other, those that save before those that only show."""
    read = {source for node in graph.nodes.values() for source in node.sources}
    ends = [id for id in graph.nodes if id not in read]
    yield from sorted(ends, key=lambda id: "save" not in graph.nodes[id].type)


def _upstream(graph: Graph, roots: list[str], socket: str = "") -> Iterator[Node]:
    """The roots' ancestors, nearest first; through one socket of the first root, if named."""
    seen = set(roots)
    wave = [graph.nodes[id] for id in roots if id in graph.nodes]
    if socket:
        links = (node.inputs[socket].source for node in wave if socket in node.inputs)
        wave = [graph.nodes[id] for id in dict.fromkeys(links) if id in graph.nodes]
    while wave:
        yield from wave
        sources = dict.fromkeys(source for node in wave for source in node.sources)
        wave = [graph.nodes[id] for id in sources if id in graph.nodes and id not in seen]
        seen.update(node.id for node in wave)


def _prompt(graph: Graph, sampler: Node, socket: str) -> str:
    found = (node.params.get("text") for node in _upstream(graph, [sampler.id], socket))
    return next((text for text in found if isinstance(text, str)), "")


def _model_file(graph: Graph, sampler: Node) -> str:
    """What the source of the model loads: LoRAs on the way have files as well."""
    files = [
        node.params["file"]
        for node in _upstream(graph, [sampler.id], "model")
        if isinstance(node.params.get("file"), str) and not (ancestors(graph, node.sources))
    ]
    return str(files[-1]) if files else ""


def _receipt(text: str) -> dict[str, Any]:
    try:
        receipt = read_json(text) if text else {}
    except ValueError:
        return {}
    return receipt if isinstance(receipt, dict) else {}


# --- From other programs' texts -------------------------------------------------------------------

# Letters of a graph of ComfyUI's that is read for what it says: to read a longer one takes longer
# than a gallery should wait.
LONGEST_GRAPH = 2**21


def _from_texts(fields: Mapping[str, str]) -> dict[str, Any]:
    """What ComfyUI's graph or another program's text says."""
    try:
        params = params_in(fields)
        if params is None:
            return _from_comfyui(fields)
    except PonyStudioError:
        return {}
    files = {params.model.name, *(lora.name for lora in params.loras[:MOST_FILES])}
    known = {
        "prompt": params.prompt,
        "negative": params.negative or "",
        "model": model_name(params.model.name),
        "model_hash": params.model.hash,
        "sampler": params.sampler,
        "scheduler": params.scheduler,
        "seed": whole(params.seed),
        "steps": whole(params.steps),
        "cfg": number(params.cfg),
        "files": tuple(sorted({model_name(file) for file in files} - {""})),
    }
    return {name: value for name, value in known.items() if value not in (None, "", ())}


def _from_comfyui(fields: Mapping[str, str]) -> dict[str, Any]:
    """Of what ran, else of what was drawn; it is no graph of ours, so it has no hash."""
    for name in ("prompt", "workflow"):
        text = fields.get(name, "")
        document = document_of(text) if len(text) <= LONGEST_GRAPH else None
        if isinstance(document, Mapping) and is_comfyui(document):
            return _made_by(import_document(document).graph, "", None)
    return {}


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
