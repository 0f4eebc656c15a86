"""Readable ids for new nodes: those that the shipped graphs use, numbered where one is taken."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ponystudio.graph.model import NODE_ID

_USUAL = {
    "core.load_checkpoint": "checkpoint",
    "core.encode_prompt": "prompt",
    "core.empty_latent": "latent",
    "core.sample": "sampler",
    "core.decode_latent": "decode",
    "core.encode_image": "encode",
    "core.save_image": "save",
    "core.preview_image": "preview",
    "core.apply_lora": "lora",
    "core.load_vae": "vae",
    "core.load_upscaler": "upscaler",
    "core.upscale_image": "upscale",
    "core.load_image": "image",
}
_NUMBERED = re.compile(r"(.*?)_(\d+)")
_NOT_ID = re.compile(r"[^A-Za-z0-9_-]+")


def fresh_id(type: str, taken: Collection[str]) -> str:
    """An id for a new node of this type, e.g. "sampler", or "sampler_2" beside another one."""
    return free_id(_USUAL.get(type) or slug(type.rpartition(".")[2]), taken)


def fresh_ids(ids: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """By id the one that its copy gets beside those taken; its own where that is free."""
    used = set(taken)
    result: dict[str, str] = {}
    for id in ids:
        result[id] = free_id(id, used)
        used.add(result[id])
    return result


def free_id(id: str, taken: Collection[str]) -> str:
    """The id, or with the next number that is free: sampler, sampler_2, sampler_3, ..."""
    if id not in taken:
        return id
    match = _NUMBERED.fullmatch(id)
    stem, number = (match[1], int(match[2])) if match and match[1] else (id, 1)
    while True:
        number += 1
        if (found := f"{stem}_{number}") not in taken:
            return found


def slug(text: str) -> str:
    """The text as an id: "Load VAE" becomes "load_vae"."""
    word = _NOT_ID.sub("_", text.strip()).strip("_-").lower()
    word = word if word and not word[0].isdigit() else f"node_{word}".rstrip("_")
    assert NODE_ID.fullmatch(word)
    return word
