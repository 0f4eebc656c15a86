"""What is known of a picture without decoding it: how it was made, as far as it says so."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ponystudio.errors import PonyStudioError
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.formats.a1111_infotext import NEGATIVE, PROMPT, parse
from ponystudio.graph.formats.embedded_metadata import GRAPH, PARAMETERS, RECEIPT
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import ancestors
from ponystudio.pictures.picture_reader import read_description, read_fields
from ponystudio.system.json_reader import read_json

SUFFIXES = frozenset({".png", ".webp", ".jpg", ".jpeg"})
_NAMES = {".png": "PNG", ".webp": "WebP", ".jpg": "JPEG", ".jpeg": "JPEG"}


# "mane: 0123456789ab, hat: 9f31c2d07a55"; names may hold commas, so it is split at the hashes.
_LORA_HASH = re.compile(r": [0-9a-fA-F]++(?:, |,?\Z)")


LONGEST_LIST, MOST_FILES = 64_000, 200
"""Of a picture's LoRAs: letters, and how many."""


@dataclass(frozen=True)
class PictureRecord:
    """One picture file. `time` is when it was made; what the picture does not tell is "" or None.

    `mtime` is in nanoseconds: with `bytes` it tells whether the file is still the one that was
    read. `graph_hash` is "" where no graph is inside, and equal for graphs that differ only in
    how they are laid out. `files` are the names, without folder and suffix, of all models that it
    was made with.
    """

    path: Path
    time: float = 0.0
    bytes: int = 0
    mtime: int = 0
    width: int = 0
    height: int = 0
    prompt: str = ""
    negative: str = ""
    model: str = ""
    model_hash: str = ""
    sampler: str = ""
    scheduler: str = ""
    seed: int | None = None
    steps: int | None = None
    cfg: float | None = None
    device: str = ""
    dtype: str = ""
    node: str = ""
    graph_hash: str = ""
    receipt: bool = False
    files: tuple[str, ...] = ()
    starred: bool = False

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def format(self) -> str:
        return _NAMES.get(self.path.suffix.lower(), self.path.suffix[1:].upper())

    @property
    def has_graph(self) -> bool:
        return bool(self.graph_hash)


def is_picture_name(name: str) -> bool:
    """Whether a file's name is that of a picture that is whole: drafts begin with a dot."""
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in SUFFIXES


def read_picture(path: Path) -> PictureRecord | None:
    """What the file tells; None if it is gone or cannot be read."""
    try:
        stat = path.stat()
        told = read_description(path)
    except (OSError, PonyStudioError):
        return None
    fields, head = told.fields, told.head
    known = _from_parameters(fields.get(PARAMETERS, "")) | _from_graph(fields)
    return PictureRecord(
        path,
        stat.st_mtime,
        stat.st_size,
        stat.st_mtime_ns,
        head.width if head else 0,
        head.height if head else 0,
        **known,
    )


def read_graph(path: Path) -> Graph | None:
    """The graph inside, or None."""
    try:
        return _graph(read_fields(path))
    except PonyStudioError:
        return None


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
    if isinstance(environment, dict):
        known |= {name: _text(environment.get(name)) for name in ("device", "dtype")}
    graph = _graph(fields)
    if graph is None:
        return known
    known["graph_hash"] = graph_hash(graph)
    return known | _made_by(graph, known["node"], models)


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
        "seed": _integer(params.get("seed")),
        "steps": _integer(params.get("steps")),
        "cfg": _number(params.get("cfg")),
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


# --- From A1111's `parameters` --------------------------------------------------------------------


def _from_parameters(text: str) -> dict[str, Any]:
    if not text:
        return {}
    fields = parse(text)
    *loras, _ = _LORA_HASH.split(fields.get("Lora hashes", "")[:LONGEST_LIST])
    files = {fields.get("Model", ""), *loras[:MOST_FILES]}
    known = {
        "prompt": fields.get(PROMPT, ""),
        "negative": fields.get(NEGATIVE, ""),
        "model": fields.get("Model", ""),
        "model_hash": fields.get("Model hash", ""),
        "sampler": fields.get("Sampler", ""),
        "scheduler": fields.get("Schedule type", ""),
        "seed": _integer(fields.get("Seed")),
        "steps": _integer(fields.get("Steps")),
        "cfg": _number(fields.get("CFG scale")),
        "files": tuple(sorted(files - {""})),
    }
    return {name: value for name, value in known.items() if value not in (None, "", ())}


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: object) -> int | None:
    # Not through float: seeds have 64 bits.
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 20 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
