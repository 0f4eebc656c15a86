"""A run that ComfyUI says in parts and Sample says at once becomes one node.

Noise, guider, sampler and noise levels are nodes of their own there; where each is plain, and
serves this run alone, Sample with the same settings gives the same picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ponystudio.graph.model import Graph, Link, Node

# KSampler leaves out the last but one noise level for these, and a scheduler by itself does not.
ONE_LEVEL_LESS = frozenset(("dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"))
_PARTS = {
    "noise": ("core.random_noise",),
    "guider": ("core.guide", "core.guide_one"),
    "sampler": ("core.choose_sampler",),
    "sigmas": ("core.make_sigmas",),
}


def folded(graph: Graph) -> tuple[Graph, dict[str, str]]:
    """The graph with Sample in the place of each plain run in parts, and what became of the ids of
    the parts."""
    used = Counter(link for node in graph.nodes.values() for link in node.inputs.values())
    leading = Counter(link.source for node in graph.nodes.values() for link in node.inputs.values())
    nodes = dict(graph.nodes)
    renamed: dict[str, str] = {}
    for id, node in graph.nodes.items():
        if node.type != "core.sample_custom" or used[Link(id, "denoised")]:
            continue
        parts = {name: nodes.get(node.inputs[name].source) for name in node.inputs}
        if not all(
            part
            and (part.type in types and part.mode == node.mode)
            and (leading[part.id] == 1 and not part.title)
            for part, types in ((parts.get(name), types) for name, types in _PARTS.items())
        ):
            continue
        known = {name: part for name, part in parts.items() if name in _PARTS and part}
        made = _sample(node, known)
        if made is None:
            continue
        for part in known.values():
            del nodes[part.id]
            renamed[part.id] = made.id
        del nodes[id]
        nodes[made.id] = made
        renamed[id] = made.id
    if not renamed:
        return graph, renamed
    nodes = {
        id: replace(
            node,
            inputs={
                name: replace(link, source=renamed.get(link.source, link.source))
                for name, link in node.inputs.items()
            },
        )
        for id, node in nodes.items()
    }
    return replace(graph, nodes=nodes), renamed


def _sample(node: Node, parts: Mapping[str, Node]) -> Node | None:
    """Sample in place of a run in these parts; None where it would not be the same."""
    noise, guider, sampler, sigmas = (parts[name] for name in _PARTS)
    if noise.inputs or sampler.inputs or set(sigmas.inputs) - {"model"}:
        return None
    if set(noise.params) - {"seed", "off"} or noise.params.get("off"):
        return None
    if set(sampler.params) - {"sampler"} or str(sampler.params.get("sampler")) in ONE_LEVEL_LESS:
        return None
    if "cfg" in guider.inputs or sigmas.inputs.get("model") != guider.inputs.get("model"):
        return None
    prompts = {name: guider.inputs.get(name) for name in ("positive", "negative")}
    if guider.type == "core.guide_one":  # at guidance 1 the negative prompt has no effect
        prompts["negative"] = prompts["positive"]
    links = {"model": guider.inputs.get("model"), **prompts, "latent": node.inputs.get("latent")}
    params: dict[str, Any] = {**noise.params, **sampler.params, **sigmas.params}
    params.pop("off", None)
    params["cfg"] = guider.params.get("cfg", 1.0)
    there = {name: link for name, link in links.items() if link}
    id = node.id.replace("sample_custom", "sample", 1)
    return replace(node, id=id, type="core.sample", params=params, inputs=there)
