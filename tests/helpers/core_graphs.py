"""Graphs of the nodes that come with the studio, as people wire them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ponystudio.graph.model import Link, Node

SIDE = 64
WORDS, NEGATIVE = "score_9, a pony on the moon", "3d, sfm"


def core(id: str, type: str, /, **given: Any) -> Node:
    """A node whose wires are given as pairs, and its params as what they are."""
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"core.{type}", params=params, inputs=links)


def checkpoint(file: str, **params: Any) -> tuple[Node, ...]:
    return (core("checkpoint", "load_checkpoint", file=file, **params),)


def picture(
    *sources: Node,
    model: str = "checkpoint",
    clip: str = "checkpoint",
    vae: str = "checkpoint",
    negative: str = NEGATIVE,
    empty: str = "auto",
    latent: tuple[Node, ...] = (core("latent", "empty_latent", width=SIDE, height=SIDE),),
    **sampling: Any,
) -> tuple[Node, ...]:
    """From words to a latent and a picture that are saved; `model`, `clip` and `vae` are the nodes
    that give them, the last of `latent` the one that gives what is painted on."""
    return (
        *sources,
        *latent,
        core("positive", "encode_prompt", clip=(clip, "clip"), text=WORDS),
        core("negative", "encode_prompt", clip=(clip, "clip"), text=negative, empty=empty),
        core(
            "sampler",
            "sample",
            model=(model, "model"),
            latent=(latent[-1].id, "latent"),
            positive=("positive", "conditioning"),
            negative=("negative", "conditioning"),
            **{"steps": 2, "seed": 3, "cfg": 5.0, **sampling},
        ),
        core("decode", "decode_latent", vae=(vae, "vae"), latent=("sampler", "latent")),
        core("save_latent", "save_latent", latent=("sampler", "latent")),
        core("save", "save_image", image=("decode", "image")),
    )


def prompted(nodes: tuple[Node, ...], *between: Node) -> tuple[Node, ...]:
    """The nodes of a picture with others between its prompt and the sampler, the last of which
    gives what is followed."""
    followed = Link(between[-1].id, "conditioning")
    return (
        *(
            replace(node, inputs={**node.inputs, "positive": followed})
            if node.id == "sampler"
            else node
            for node in nodes
        ),
        *between,
    )
