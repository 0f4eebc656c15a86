"""A1111's `parameters` text: what other galleries and tools read about how a picture was made.

    text   := prompt lines  ["Negative prompt:" lines]  pairs
    pairs  := pair ("," pair)*        pair := name ":" value
    value  := a JSON string, where it holds a comma, colon or line break; else plain

It is a summary for others. What makes the picture again is the graph.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import known_value
from ponystudio.system.json_reader import read_json

PROMPT, NEGATIVE = "Prompt", "Negative prompt"
LONGEST = 2**20
"""Letters of a text that are read: far above any prompt."""
# Each run of letters is tried once, from its beginning: the last line may be a prompt without end.
_NAME = re.compile(r"(?<![\w \-/])[\w \-/]++:\s*+")
_VALUE = re.compile(r'"(?:\\.|[^\\"])++"(?=,|\Z)|[^,]*+')
_LONGEST_NAME = 100
_SIZE = re.compile(r"(\d+)x(\d+)")
_FEWEST_PAIRS = 3


def infotext(
    graph: Graph,
    node: str,
    *,
    size: tuple[int, int],
    catalog: Mapping[str, NodeSpec] | None = None,
    hashes: Mapping[str, str] | None = None,
    embeddings: Mapping[str, str] | None = None,
    samplers: Mapping[str, str] | None = None,
    schedules: Mapping[str, str] | None = None,
    batch: tuple[int, int] = (0, 1),
    version: str = "",
) -> str:
    """The `parameters` text of a picture that `node` (usually core.save_image) of `graph` got.

    `graph` is the one that ran, without bypassed and muted nodes. `size` is the picture's width
    and height, `catalog` tells the defaults of params that the graph leaves out, `hashes` maps
    file params, as the graph writes them, to the files' SHA-256 (LoRAs: AutoV3), `embeddings` the
    files of the textual inversions that the prompts call; `samplers` and `schedules` say what A1111
    calls them. `batch` is the picture's index and the size of its batch.
    "" if no sampler had a part in the picture.
    """
    reader = _Reader(graph, catalog or {})
    runs = reader.samplers(node)
    if not runs:
        return ""
    pairs = dict(_pairs(reader, node, runs, size, hashes or {}))
    for name, known in (("Sampler", samplers), ("Schedule type", schedules)):
        if name in pairs:
            pairs[name] = (known or {}).get(pairs[name], pairs[name])
    if batch[1] > 1:
        pairs |= {"Batch size": batch[1], "Batch pos": batch[0]}
    pairs |= _resources(pairs, embeddings or {})
    if version:
        pairs["Version"] = version
    positive, negative = (reader.prompt(runs[0], side) for side in ("positive", "negative"))
    tags = " ".join(_lora_tag(lora) for lora in reader.loras(runs[0]))
    text = reader.value(positive, "text", "")
    # Behind a # tags would be a comment.
    between = "\n" if "#" in text.rpartition("\n")[2] else " "
    prompt = between.join(part for part in (text, tags) if part)
    lines = [prompt] if prompt else []
    if unwanted := reader.value(negative, "text", ""):
        lines.append(f"{NEGATIVE}: {unwanted}")
    lines.append(", ".join(f"{name}: {_value(value)}" for name, value in pairs.items()))
    return "\n".join(lines)


def parse(text: str) -> dict[str, str]:
    """The fields of a `parameters` text, "Prompt" and "Negative prompt" among them.

    A value WxH also gives `NAME-1` and `NAME-2`. The last line counts as pairs only if at least
    three match, else it belongs to the prompt. Any text parses; no default is filled in. What
    stands beyond LONGEST letters is not read.
    """
    *lines, last = text[:LONGEST].strip().split("\n")
    pairs = list(_pairs_in(last))
    if len(pairs) < _FEWEST_PAIRS:
        lines, pairs = [*lines, last], []
    start = next((i for i, line in enumerate(lines) if line.startswith(f"{NEGATIVE}:")), len(lines))
    fields = {
        PROMPT: "\n".join(lines[:start]).strip(),
        NEGATIVE: "\n".join(lines[start:]).removeprefix(f"{NEGATIVE}:").strip(),
    }
    for name, value in pairs:
        fields[name] = _unquoted(value)
        if sides := _SIZE.fullmatch(fields[name]):
            fields[f"{name}-1"], fields[f"{name}-2"] = sides.groups()
    return fields


def _pairs_in(line: str) -> Iterator[tuple[str, str]]:
    """Names with their values, as they are written."""
    place = 0
    while found := _NAME.search(line, place):
        place = found.end()
        name = found[0].rstrip()[:-1][-_LONGEST_NAME:].lstrip(" -/")
        if len(name) > 1 and (value := _VALUE.match(line, place)):
            place = value.end() + 1  # behind the comma
            yield name, value[0].strip()


# Fields of a LoRA with what they are where they are not set.
_LORA: Mapping[str, Any] = {"file": "", "strength": 1.0, "clip_strength": 1.0}


# Nodes that mix the models that lead into them.
_MERGES = ("core.merge_models", "core.add_models", "core.add_difference", "core.subtract_models")
# Nodes that sample; and, for a run by parts, the socket and the nodes behind it that say what the
# others say themselves.
_RUNS = ("core.sample", "core.sample_steps", "core.sample_custom")
_GUIDES = ("core.guide", "core.guide_one", "core.guide_dual")
_LEVELS = ("core.make_sigmas", "core.turbo_sigmas", "core.ays_sigmas", "core.range_sigmas")
_PARTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "steps": ("sigmas", _LEVELS),
    "scheduler": ("sigmas", _LEVELS),
    "denoise": ("sigmas", _LEVELS),
    "sampler": ("sampler", ("core.choose_sampler",)),
    "seed": ("noise", ("core.random_noise",)),
    "off": ("noise", ("core.random_noise",)),
    "cfg": ("guider", _GUIDES),
}


class _Lora(NamedTuple):
    file: str
    strength: float
    clip_strength: float


class _Reader:
    """Finds nodes upstream of others and the values of their params."""

    def __init__(self, graph: Graph, catalog: Mapping[str, NodeSpec]) -> None:
        self.graph = graph
        self.catalog = catalog

    def value(self, node: Node | None, param: str, missing: Any = None) -> Any:
        """A param's value, or its default; `missing` where only the run knew it."""
        known = node and known_value(self.graph.nodes, self.catalog, node, param)
        return missing if known is None else known

    def upstream(self, node: Node | None, socket: str = "") -> Iterator[Node]:
        """What feeds `node` (through `socket`, if named), nearest first, each once."""
        if node is None:
            return
        links = [node.inputs[socket]] if socket in node.inputs else []
        wave = [link.source for link in (links if socket else node.inputs.values())]
        seen: set[str] = set()
        while wave:
            found = [self.graph.nodes[id] for id in dict.fromkeys(wave) if id in self.graph.nodes]
            found = [node for node in found if node.id not in seen]
            seen.update(node.id for node in found)
            yield from found
            wave = [link.source for node in found for link in node.inputs.values()]

    def first(self, node: Node | None, socket: str, *types: str) -> Node | None:
        return next((item for item in self.upstream(node, socket) if item.type in types), None)

    def said(self, run: Node, param: str, missing: Any = None) -> Any:
        """A param of a run, whichever node says it."""
        if run.type != "core.sample_custom":
            return self.value(run, param, missing)
        socket, types = _PARTS[param]
        return self.value(self.first(run, socket, *types), param, missing)

    def guide(self, run: Node) -> Node:
        """The node of a run that has the model and the prompts."""
        return self.first(run, "guider", *_GUIDES) or run

    def begins(self, run: Node) -> bool:
        """Whether it begins from noise of its own, and does not go on with that of another."""
        if run.type == "core.sample_steps":
            return bool(self.value(run, "add_noise", True))
        return run.type == "core.sample" or not self.said(run, "off", False)

    def samplers(self, node: str) -> list[Node]:
        """The samplers that worked on the picture one after the other, the first one first; of
        parts of one run that which begins it."""
        chain: list[Node] = []
        found = self.first(self.graph.nodes.get(node), "", *_RUNS)
        while found and found not in chain:
            chain.insert(0, found)
            found = self.first(found, "latent", *_RUNS)
        return [run for run in chain if self.begins(run)] or chain[:1]

    def prompt(self, run: Node, side: str) -> Node | None:
        return self.first(self.guide(run), side, "core.encode_prompt")

    def checkpoints(self, run: Node) -> list[str]:
        """The files of a run's model: of a merge all that are in it, else the nearest."""
        sources = list(self.upstream(self.guide(run), "model"))
        files = [self.value(s, "file") for s in sources if s.type == "core.load_checkpoint"]
        files = list(dict.fromkeys(file for file in files if file))
        return files if any(s.type in _MERGES for s in sources) else files[:1]

    def loras(self, run: Node) -> list[_Lora]:
        """In the order in which they were added."""
        found: list[_Lora] = []
        for node in reversed(list(self.upstream(self.guide(run), "model"))):
            if node.type == "core.apply_lora":
                found.append(_Lora(*(self.value(node, *field) for field in _LORA.items())))
            elif node.type == "core.apply_loras":
                rows = (row for row in self.value(node, "loras", ()) if row.get("on", True))
                found += [_Lora(*(row.get(*field) for field in _LORA.items())) for row in rows]
        return found


def _pairs(
    reader: _Reader,
    node: str,
    runs: list[Node],
    size: tuple[int, int],
    hashes: Mapping[str, str],
) -> Iterator[tuple[str, Any]]:
    """What stands in the last line, without what is not known."""
    first, last = runs[0], runs[-1]
    canvas = reader.first(first, "latent", "core.empty_latent")
    checkpoints = reader.checkpoints(first)
    # A merge is no file, so it has no hash.
    model_hash = hashes.get(checkpoints[0], "")[:10] if len(checkpoints) == 1 else None
    vae = reader.value(reader.first(reader.graph.nodes.get(node), "", "core.load_vae"), "file")
    loras = [lora.file for lora in reader.loras(first)]
    positive = reader.prompt(first, "positive")
    width = reader.value(canvas, "width", size[0])
    height = reader.value(canvas, "height", size[1])
    strength = reader.said(last, "denoise", 1.0)
    lora_hashes = {_stem(file): _short(hashes[file]) for file in loras if file in hashes}
    found: dict[str, Any] = {
        "Steps": reader.said(first, "steps"),
        "Sampler": reader.said(first, "sampler"),
        "Schedule type": reader.said(first, "scheduler"),
        "CFG scale": reader.said(first, "cfg"),
        "Seed": reader.said(first, "seed"),
        "Size": f"{width}x{height}",
        "Model hash": model_hash,
        "Model": " + ".join(map(_stem, checkpoints)),
        "VAE hash": hashes.get(vae, "")[:10] if vae else None,
        "VAE": vae and PurePosixPath(vae).name,
        "Denoising strength": strength if strength < 1 else None,
        "Clip skip": reader.value(positive, "clip_skip") or None,
        "RNG": "CPU",
        "Lora hashes": lora_hashes,
    }
    if last is not first:
        found["Hires upscale"] = round(size[0] / width, 2)
        found["Hires steps"] = reader.said(last, "steps")
    if reader.value(positive, "dialect") == "comfyui":
        found["Prompt dialect"] = "comfyui"
    yield from ((name, value) for name, value in found.items() if value not in (None, "", {}))


def _resources(pairs: Mapping[str, Any], embeddings: Mapping[str, str]) -> dict[str, Any]:
    """The files that had a part in it, once more by one JSON object: so sites find all of them. Of
    textual inversions what they know is the AutoV2, as of models."""
    inversions = {_stem(file): sha256[:10] for file, sha256 in embeddings.items()}
    known = {
        "model": pairs.get("Model hash", ""),
        "vae": pairs.get("VAE hash", ""),
        **{f"lora:{name}": hash for name, hash in pairs.get("Lora hashes", {}).items()},
        **{f"embed:{name}": hash for name, hash in inversions.items()},
    }
    known = {key: hash for key, hash in known.items() if hash}
    found: dict[str, Any] = {"TI hashes": inversions} if inversions else {}
    return found | ({"Hashes": _Json(json.dumps(known))} if known else {})


def _lora_tag(lora: _Lora) -> str:
    """`<lora:name:text encoder:model>`; the model's strength is left out where both are equal."""
    both = f":{_number(lora.strength)}" if lora.strength != lora.clip_strength else ""
    return f"<lora:{_stem(lora.file)}:{_number(lora.clip_strength)}{both}>"


def _short(hash: str) -> str:
    """An AutoV3, or of a whole file's hash the AutoV2."""
    return hash if len(hash) <= 12 else hash[:10]


def _stem(file: str) -> str:
    return PurePosixPath(file.replace("\\", "/")).stem


def _number(value: Any) -> str:
    """7.0 as 7: other tools compare these texts."""
    return format(value, "g") if isinstance(value, float) else str(value)


class _Json(NamedTuple):
    """What is written as it is, not as a quoted text."""

    text: str


def _value(value: Any) -> str:
    """A value as it stands in the line; hashes by name are one text."""
    if isinstance(value, Mapping):
        return _quoted(", ".join(f"{name}: {hash}" for name, hash in value.items()))
    return value.text if isinstance(value, _Json) else _quoted(value)


def _quoted(value: Any) -> str:
    text = _number(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,:\n]", text) else text


def _unquoted(text: str) -> str:
    if text[:1] != '"' or text[-1:] != '"':
        return text
    try:
        return str(read_json(text))
    except ValueError:
        return text
