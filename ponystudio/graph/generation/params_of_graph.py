"""How a picture was made, read off the graph that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    SecondPass,
    Source,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.generation.infotext import OWN
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import known_value

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
    "rescale": ("guider", _GUIDES),
}


class _Lora(NamedTuple):
    file: str
    strength: float
    clip_strength: float


class _Upstream:
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

    def noise(self, run: Node) -> Any:
        """Where it was drawn."""
        if run.type != "core.sample_custom":
            return self.value(run, "noise", "cpu")
        return self.value(self.first(run, "noise", "core.random_noise"), "source", "cpu")

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


def params_of(
    graph: Graph,
    node: str,
    *,
    size: tuple[int, int],
    catalog: Mapping[str, NodeSpec],
    hashes: Mapping[str, str],
    embeddings: Mapping[str, str],
    batch: tuple[int, int] = (0, 1),
    version: str = "",
) -> tuple[GenerationParams, frozenset[str]] | None:
    """What `infotext_writer.infotext` says of a picture, as far as params can say it, and the names
    of those that only the run knew. None if no sampler had a part in it."""
    found = _Upstream(graph, catalog)
    runs = found.samplers(node)
    if not runs:
        return None
    first, last = runs[0], runs[-1]
    said = {name: found.said(first, name) for name in ("steps", "sampler", "scheduler", "cfg")}
    said["seed"] = found.said(first, "seed")
    known = {name: value for name, value in said.items() if value is not None}
    canvas = found.first(first, "latent", "core.empty_latent")
    width = found.value(canvas, "width", size[0])
    height = found.value(canvas, "height", size[1])
    positive, negative = (found.prompt(first, side) for side in ("positive", "negative"))
    hires = _second_pass(found, runs, size, (width, height)) if last is not first else None
    vae = found.value(found.first(graph.nodes.get(node), "", "core.load_vae"), "file")
    comfyui = found.value(positive, "dialect") == "comfyui"
    params = GenerationParams(
        program=OWN,
        version=version.removeprefix(OWN).strip(),
        prompt=found.value(positive, "text", ""),
        negative=found.value(negative, "text", ""),
        dialect="comfyui" if comfyui else "a1111",
        model=_model(found.checkpoints(first), hashes),
        vae=UsedModel(PurePosixPath(vae).name, hashes.get(vae, "")[:10]) if vae else UsedModel(),
        loras=tuple(
            UsedLora(
                stem(lora.file),
                lora.strength,
                lora.clip_strength,
                _short(hashes.get(lora.file, "")),
            )
            for lora in found.loras(first)
        ),
        embeddings={stem(file): hash[:10] for file, hash in embeddings.items()},
        source=_source(found, first) if hires is None else None,
        hires=hires,
        noise=found.noise(first),
        rescale=found.said(first, "rescale", 0.0),
        guidance=found.value(
            found.first(found.guide(first), "positive", "core.set_guidance"), "guidance"
        ),
        clip_skip=found.value(positive, "clip_skip", 0),
        width=width,
        height=height,
        batch=batch[1],
        batch_index=batch[0],
        **known,
    )
    unknown = said.keys() - known.keys()
    return params, frozenset(unknown if version else (*unknown, "version"))


def _model(files: list[str], hashes: Mapping[str, str]) -> UsedModel:
    """A merge is no file, so it has no hash."""
    hash = hashes.get(files[0], "")[:10] if len(files) == 1 else ""
    return UsedModel(" + ".join(map(stem, files)), hash)


def _source(found: _Upstream, run: Node) -> Source | None:
    strength = found.said(run, "denoise", 1.0)
    if strength >= 1:
        return None
    masked = found.first(run, "latent", "core.mask_latent", "core.encode_for_inpainting")
    return Source(denoise=strength, counted="done", masked=masked is not None)


def _second_pass(
    found: _Upstream, runs: list[Node], size: tuple[int, int], first_size: tuple[int, int]
) -> SecondPass:
    """Of the last of several runs."""
    first, last = runs[0], runs[-1]
    scale = round(size[0] / first_size[0], 4)
    scaled = SecondPass(scale)
    if scaled.size(*first_size) != size:
        scaled = SecondPass(0.0, *size)
    upscaler = found.first(last, "latent", "core.load_upscaler")
    resized = found.first(last, "latent", "core.scale_image", "core.scale_image_by")
    enlarged = found.first(last, "latent", "core.scale_latent", "core.scale_latent_by")
    own = {
        name: value
        for name in ("sampler", "scheduler")
        if (value := found.said(last, name)) not in (None, found.said(first, name))
    }
    cfg = found.said(last, "cfg")
    return replace(
        scaled,
        space="picture" if enlarged is None and (upscaler or resized) else "latent",
        method=found.value(enlarged or resized, "method", "bilinear"),
        upscaler=UsedModel(stem(found.value(upscaler, "file", ""))) if upscaler else UsedModel(),
        denoise=found.said(last, "denoise", 1.0),
        steps=found.said(last, "steps", 0),
        cfg=cfg if cfg != found.said(first, "cfg") else None,
        **own,
    )


def _short(hash: str) -> str:
    """An AutoV3, or of a whole file's hash the AutoV2."""
    return hash if len(hash) <= 12 else hash[:10]


def stem(file: str) -> str:
    """What a text calls a file."""
    return PurePosixPath(file.replace("\\", "/")).stem
