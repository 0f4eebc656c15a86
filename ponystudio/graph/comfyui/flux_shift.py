"""FLUX dev as ComfyUI runs it: with one shift at every size, where nothing says another.

Ours bends with the size of the picture, as its makers do. ComfyUI tells dev from schnell by the
file's tensors; here there is no more than its name and what stands around it.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ponystudio.graph.model import Graph, Link, Node

SHIFT = round(math.exp(1.15), 6)
_LOADERS = frozenset(("core.load_model", "core.load_checkpoint"))
# What takes a model and hands none on, and has noise levels of it.
_SAMPLERS = frozenset(
    (
        *("core.sample", "core.sample_steps", "core.make_sigmas", "core.beta_sigmas"),
        *("core.turbo_sigmas", "core.guide", "core.guide_one", "core.guide_dual"),
        "core.perp_neg",
    )
)
_FLUX = re.compile(r"flux", re.IGNORECASE)
# Schnell bends nothing, and FLUX.2 otherwise.
_NOT_DEV = re.compile(r"schnell|flux[._ -]?2(?![0-9])", re.IGNORECASE)
# Other families that somebody may guide so, to no effect.
_OTHERS = re.compile(r"sd[._ -]?3|xl|chroma|aura|hidream", re.IGNORECASE)


def with_flux_shift(graph: Graph) -> tuple[Graph, dict[str, str], list[tuple[str, str]]]:
    """The graph with a Flow shift behind each FLUX dev model that runs without one, the id of each
    shift by that of its loader, and what is in doubt, by ids of nodes."""
    takers = _takers(graph)
    bare = _bare(graph)
    said_around = _is_around(graph.nodes.values())
    nodes = dict(graph.nodes)
    shifts: dict[str, str] = {}
    doubts: list[tuple[str, str]] = []
    for id, node in graph.nodes.items():
        if node.type not in _LOADERS or id not in bare:
            continue
        name = str(node.params.get("file", ""))
        named = bool(_FLUX.search(name))
        if _NOT_DEV.search(name) or not (named or (said_around and not _OTHERS.search(name))):
            continue
        if not named:
            doubts.append((id, f"is taken for FLUX dev: its shift is {SHIFT}; schnell's is 1"))
        made = _unused(id.replace(node.type.rpartition(".")[2], "set_shift", 1), nodes)
        shifts[id] = made
        model = Link(id, "model")
        nodes[made] = Node(made, "core.set_shift", 1, {"shift": SHIFT}, {"model": model})
        for taker in takers[id]:
            there = nodes[taker]
            inputs = {
                name: Link(made, "model") if link == model else link
                for name, link in there.inputs.items()
            }
            nodes[taker] = replace(there, inputs=inputs)
    return replace(graph, nodes=nodes) if shifts else graph, shifts, doubts


def _takers(graph: Graph) -> Mapping[str, list[str]]:
    """The nodes that take each node's model."""
    found: dict[str, list[str]] = defaultdict(list)
    for id, node in graph.nodes.items():
        models = (link.source for link in node.inputs.values() if link.output == "model")
        for source in dict.fromkeys(models):
            found[source].append(id)
    return found


def _bare(graph: Graph) -> set[str]:
    """The nodes whose model comes to a sampler without a shift of its own."""
    rest = [id for id, node in graph.nodes.items() if node.type in _SAMPLERS]
    found: set[str] = set()
    while rest:
        for link in graph.nodes[rest.pop()].inputs.values():
            source = graph.nodes.get(link.source)
            if link.output != "model" or not source or source.type == "core.set_shift":
                continue
            if source.id not in found:
                found.add(source.id)
                rest.append(source.id)
    return found


def _is_around(nodes: Iterable[Node]) -> bool:
    """Whether all text encoders are FLUX's, or a prompt is told the guidance that only FLUX takes
    where none is loaded by itself."""
    families: set[str] = set()
    guided = False
    for node in nodes:
        if node.type == "core.load_clip":
            families.add(str(node.params.get("family")))
        guided |= node.type == "core.set_guidance" and not node.params.get("off")
    return families == {"flux"} or (guided and not families)


def _unused(id: str, nodes: Mapping[str, Node]) -> str:
    number, made = 2, id
    while made in nodes:
        made, number = f"{id}_{number}", number + 1
    return made
