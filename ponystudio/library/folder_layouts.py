"""Where model folders of our own, of ComfyUI and of A1111 keep each kind of file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ponystudio.errors import UsageError
from ponystudio.library.formats.yaml_file import is_true, read_yaml

# Kind → folder names below a root or below its `models`; ours first, then the peers'.
FOLDERS: Mapping[str, tuple[str, ...]] = {
    "checkpoints": ("checkpoints", "Stable-diffusion", "diffusers"),
    "diffusion_models": ("diffusion_models", "unet"),
    "vae": ("vae", "VAE"),
    "text_encoders": ("text_encoders", "clip"),
    "tokenizers": ("tokenizers",),
    "clip_vision": ("clip_vision",),
    "loras": ("loras", "Lora", "LyCORIS"),
    "embeddings": ("embeddings",),
    "controlnet": ("controlnet", "t2i_adapter", "ControlNet"),
    "upscale_models": ("upscale_models", "ESRGAN", "RealESRGAN", "SwinIR", "DAT"),
    "hypernetworks": ("hypernetworks",),
    "input": ("input", "pictures"),
    "latents": ("latents", "input"),
}
WEIGHTS = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# Kinds that are not weights, or not only.
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "input": PICTURES,
    "latents": (".latent", ".safetensors"),
    "tokenizers": (".model", ".json"),
    "embeddings": (*WEIGHTS, ".png", ".webp"),
}
# Kinds that may also be folders of diffusers', and the file that tells one.
FOLDER_MODELS: Mapping[str, str] = {
    "checkpoints": "model_index.json",
    "diffusion_models": "config.json",
    "text_encoders": "config.json",
    "vae": "config.json",
}
EXTRA_PATHS = "extra_model_paths.yaml"
_KIND_OF = {folder: kind for kind, folders in FOLDERS.items() for folder in folders}


def places(root: Path, kind: str) -> Iterator[Path]:
    """The folders below `root` that may hold this kind; they need not exist."""
    for folder in FOLDERS.get(kind, (kind,)):
        yield root / folder
        yield root / "models" / folder


def is_network(name: str) -> bool:
    """Whether a path leads to another machine: even asking whether it is there would tell it."""
    return name.replace("\\", "/").startswith("//")


def extra_model_paths(file: Path) -> dict[str, list[Path]]:
    """Folders by kind from ComfyUI's `extra_model_paths.yaml`, those of the default section first.

    Paths to other machines are left out. Raises UsageError for what is no such file.
    """
    try:
        sections = read_yaml(file) or {}
    except (OSError, ValueError):
        sections = None
    if not isinstance(sections, dict):
        raise UsageError(
            "This is no list of model folders that can be read.",
            where=str(file),
            remedy="Correct it, or take it out of the model folder.",
        )
    known = [section for section in sections.values() if isinstance(section, dict)]
    known.sort(key=lambda section: not is_true(section.get("is_default")))
    result: dict[str, list[Path]] = {}
    for section in known:
        base = section.get("base_path", "")
        if not isinstance(base, str) or is_network(base):
            continue
        for folder, value in section.items():
            kind = _KIND_OF.get(folder)
            if kind is not None:
                result.setdefault(kind, []).extend(_paths(file.parent / _at_home(base), value))
    return result


def _paths(base: Path, value: Any) -> Iterator[Path]:
    lines = value.splitlines() if isinstance(value, str) else []
    for line in lines:
        if line.strip() and not is_network(line.strip()):
            yield base / _at_home(line.strip())


def _at_home(path: str) -> Path:
    # Unlike Path's own, it takes the home of a user who is not there for a plain name.
    return Path(os.path.expanduser(path))  # noqa: PTH111
