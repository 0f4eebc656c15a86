"""Tiny models of AuraFlow, FLUX.1 and SD3 in the forms that they are released in, and the nodes
that open them. Each of `FORMS` is written into a folder of models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file

from helpers import encoders, flows
from helpers.core_graphs import checkpoint, core
from helpers.flow_pipelines import autoencoder, towers, vae_tensors
from ponystudio.graph.model import Node

# Under what denoiser and autoencoder stand in a file of everything (FACTS 1.2).
PREFIXES = {
    "auraflow": ("model.", "vae."),
    "flux": ("model.diffusion_model.", "vae."),
    "sd3": ("model.diffusion_model.", "first_stage_model."),
}
Sources = tuple[tuple[Node, ...], dict[str, str]]


@dataclass(frozen=True)
class Form:
    """`write` gets a name and a folder of models, and gives the path of the denoiser; `sources` are
    the nodes that open it, and which of them gives what, where it is not the only one."""

    write: Callable[[str, Path], Path]
    sources: Callable[[str], Sources]


def _write_whole(name: str, root: Path) -> Path:
    """All in one file; AuraFlow's tokenizer lies beside it."""
    family, folder = flows.family_of(name), root / "checkpoints" / name
    denoiser, vae = PREFIXES[family]
    tensors = {denoiser + k: v for k, v in flows.original(name).items()}
    tensors |= {vae + k: v for k, v in vae_tensors(family).items()}
    for tower in towers(name):
        state = encoders.state(family, tower).items()
        tensors |= {f"text_encoders.{tower}.transformer.{k}": v for k, v in state}
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata=flows.hints(name))
    if name == "auraflow":
        encoders.write_tokenizer(folder / "tokenizer.model")
    return folder / "model.safetensors"


def _open_whole(name: str) -> Sources:
    return checkpoint(f"{name}/model.safetensors"), {}


def _write_parts(name: str, root: Path) -> Path:
    """A file for each part, the text encoders one by one, the tokenizer apart."""
    for folder in ("diffusion_models", "text_encoders", "vae"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    family = flows.family_of(name)
    for tower in towers(name):
        encoders.write(family, tower, root / "text_encoders" / f"{name} {tower}.safetensors")
    save_file(vae_tensors(family), root / "vae" / f"{name}.safetensors")
    encoders.write_tokenizer(root / "tokenizers" / "pile.model")
    return flows.write(name, root / "diffusion_models" / f"{name}.safetensors")


def _open_parts(name: str) -> Sources:
    files = [{"file": f"{name} {tower}.safetensors"} for tower in reversed(towers(name))]
    nodes = (
        core("model", "load_model", file=f"{name}.safetensors"),
        core("clip", "load_clip", files=files, family=flows.family_of(name)),
        core("vae", "load_vae", file=f"{name}.safetensors"),
    )
    wires = {"model": "model", "clip": "clip", "vae": "vae"}
    if name != "auraflow":
        return nodes, wires
    pieces = core("pieces", "set_tokenizer", clip=("clip", "clip"), file="pile.model")
    return (*nodes, pieces), {**wires, "clip": "pieces"}


def _write_folder(name: str, root: Path) -> Path:
    """As diffusers' `save_pretrained` lays a pipeline out."""
    family, folder = flows.family_of(name), root / "checkpoints" / f"{name} folder"
    encoders.write_folder(family, folder, "" if "t5xxl" in towers(name) else "t5xxl")
    flows.network(name).save_pretrained(folder / "transformer")
    autoencoder(family).save_pretrained(folder / "vae")
    if name == "auraflow":
        encoders.write_tokenizer(folder / "tokenizer" / "tokenizer.model")
    return folder


def _open_folder(name: str) -> Sources:
    return checkpoint(f"{name} folder"), {}


FORMS = {
    "whole": Form(_write_whole, _open_whole),
    "in parts": Form(_write_parts, _open_parts),
    "folder": Form(_write_folder, _open_folder),
}
