"""How a picture was made, read off the graph that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ponystudio.api.spec import NodeSpec
from ponystudio.graph.generation.generation_params import (
    GenerationParams,
    Refiner,
    RuleDetails,
    SecondPass,
    Source,
    UsedLora,
    UsedModel,
)
from ponystudio.graph.generation.infotext import OWN
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import known_value
from ponystudio.system.file_names import model_name

# Fields of a LoRA with what they are where they are not set.
_LORA: Mapping[str, Any] = {"file": "", "strength": 1.0, "clip_strength": 1.0}
_SEEDS = 2**64
# Nodes that mix the models that lead into them.
_MERGES = ("core.merge_models", "core.add_models", "core.add_difference", "core.subtract_models")
_LOADERS = ("core.load_checkpoint", "core.load_model")
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

    def samplers(self, node: str) -> list[Node]:
        """The samplers that worked on the picture one after the other, the first one first."""
        chain: list[Node] = []
        found = self.first(self.graph.nodes.get(node), "", *_RUNS)
        while found and found not in chain:
            chain.insert(0, found)
            found = self.first(found, "latent", *_RUNS)
        return chain

    def rules(self, run: Node) -> Node | None:
        """The node that says A1111's rules of its model."""
        return self.first(self.guide(run), "model", "core.a1111_rules")

    def by_a1111(self, run: Node) -> bool:
        said = "" if run.type == "core.sample_custom" else str(self.value(run, "rules", ""))
        return self.rules(run) is not None or said.startswith("a1111")

    def prompt(self, run: Node, side: str) -> Node | None:
        return self.first(self.guide(run), side, "core.encode_prompt")

    def checkpoints(self, run: Node) -> list[str]:
        """The files of a run's model: of a merge all that are in it, else the nearest."""
        sources = list(self.upstream(self.guide(run), "model"))
        files = [self.value(s, "file") for s in sources if s.type in _LOADERS]
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

    def hypernetworks(self, run: Node) -> list[UsedLora]:
        """In the order in which they were applied."""
        nodes = reversed(list(self.upstream(self.guide(run), "model")))
        return [
            UsedLora(model_name(self.value(node, "file", "")), strength, strength)
            for node in nodes
            if node.type == "core.apply_hypernetwork"
            for strength in (self.value(node, "strength", 1.0),)
        ]


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
    chain = found.samplers(node)
    if not chain:
        return None
    # Of parts of one run that which begins it.
    runs = [run for run in chain if found.begins(run)] or chain[:1]
    first, last = runs[0], runs[-1]
    said = {name: found.said(first, name) for name in ("steps", "sampler", "scheduler", "cfg")}
    said["seed"] = found.said(first, "seed")
    if said["seed"] is not None and found.by_a1111(first):
        said["seed"] = (said["seed"] + batch[0]) % _SEEDS
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
                model_name(lora.file),
                lora.strength,
                lora.clip_strength,
                _short(hashes.get(lora.file, "")),
            )
            for lora in found.loras(first)
        ),
        hypernetworks=tuple(found.hypernetworks(first)),
        text_encoders=tuple(
            UsedModel(model_name(row.get("file", "")))
            for row in found.value(found.first(positive, "clip", "core.load_clip"), "files", ())
        ),
        embeddings={model_name(file): hash[:10] for file, hash in embeddings.items()},
        source=_source(found, first) if hires is None else None,
        hires=hires,
        refiner=_refiner(found, chain, last, hashes),
        **_noise(found, first, batch[0]),
        **_by_rules(found, first),
        shift=found.value(found.first(found.guide(first), "model", "core.set_shift"), "shift"),
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
    return UsedModel(" + ".join(map(model_name, files)), hash)


def _noise(found: _Upstream, run: Node, index: int) -> dict[str, Any]:
    """What a run draws; by A1111's rules each picture has seeds of its own."""
    if run.type != "core.sample_custom":
        rules = found.rules(run)
        return {"noise": found.value(run, "noise", "cpu"), "threads": _threads(found, rules)}
    node = found.first(run, "noise", "core.random_noise")
    choice = found.first(run, "sampler", "core.choose_sampler")
    share, eta = found.value(node, "variation", 0.0), found.value(choice, "eta", -1.0)
    other = found.value(node, "variation_seed", 0) + (index if found.by_a1111(run) else 0)
    strength = found.value(choice, "s_noise", 1.0)
    return {
        "noise": found.value(node, "source", "cpu"),
        "threads": _threads(found, node) or _threads(found, found.rules(run)),
        "variation": share,
        "variation_seed": other % _SEEDS if share else 0,
        "resize_from": tuple(found.value(node, f"from_{side}", 0) for side in ("width", "height")),
        "s_noise": None if strength == 1.0 else strength,
        **({} if eta < 0 else {"eta": eta}),
    }


def _threads(found: _Upstream, node: Node | None) -> int:
    return int(found.value(node, "threads", 0)) if node else 0


def _by_rules(found: _Upstream, run: Node) -> dict[str, Any]:
    """What is said where a run goes by A1111's rules."""
    if not found.by_a1111(run):
        return {}
    rules, usual = found.rules(run), RuleDetails()
    details = {
        field.name: found.value(rules, field.name, getattr(usual, field.name))
        for field in fields(usual)
    }
    eta = found.value(rules, "eta", -1.0)
    return {
        "rules": "a1111",
        "details": RuleDetails(**details),
        "seed_offset": found.value(rules, "ensd", 0),
        **({} if eta < 0 else {"eta": eta}),
    }


def _refiner(
    found: _Upstream, chain: list[Node], last: Node, hashes: Mapping[str, str]
) -> Refiner | None:
    """The model that goes on with the last run."""
    later = next((run for run in chain[chain.index(last) + 1 :] if not found.begins(run)), None)
    if later is None or later.type != "core.sample_steps" or last.type != later.type:
        return None
    files = found.checkpoints(later)
    if files == found.checkpoints(last):
        return None
    begin, end = (found.value(last, name, 0) for name in ("start", "end"))
    steps = max(found.value(last, "steps", 1) - begin, 1)
    share = min(max((end - begin) / steps, 0.0), 1.0)
    return Refiner(_model(files, hashes), round(share, 4))


def _share(found: _Upstream, run: Node) -> float:
    """How much of what a run begins with is sampled anew."""
    if run.type != "core.sample_steps":
        return float(found.said(run, "denoise", 1.0))
    steps, start = found.value(run, "steps", 1), found.value(run, "start", 0)
    return float(max(steps - start, 0) / max(steps, 1))


def _source(found: _Upstream, run: Node) -> Source | None:
    strength = _share(found, run)
    if strength >= 1:
        return None
    masked = found.first(run, "latent", "core.mask_latent", "core.encode_for_inpainting")
    # By A1111's rules a share of the steps is done, but for those of its second pass.
    all_steps = found.value(found.rules(run), "all_steps", False)
    all_steps = all_steps or found.value(run, "rules") == "a1111_hires"
    share = found.by_a1111(run) and not all_steps
    return Source(denoise=strength, counted="share" if share else "done", masked=masked is not None)


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
    cfg, steps = found.said(last, "cfg"), found.said(last, "steps", 0)
    if last.type == "core.sample_steps":
        steps -= found.value(last, "start", 0)
    return replace(
        scaled,
        space="picture" if enlarged is None and (upscaler or resized) else "latent",
        method=found.value(enlarged or resized, "method", "bilinear"),
        upscaler=UsedModel(model_name(found.value(upscaler, "file", ""))),
        denoise=_share(found, last),
        steps=steps,
        cfg=cfg if cfg != found.said(first, "cfg") else None,
        **own,
    )


def _short(hash: str) -> str:
    """An AutoV3, or of a whole file's hash the AutoV2."""
    return hash if len(hash) <= 12 else hash[:10]
