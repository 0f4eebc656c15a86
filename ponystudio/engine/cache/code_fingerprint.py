"""Fingerprints of the code that makes results, so that an edit of it outdates what is cached."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ponystudio_resources import path as resource

# What the networks and the arithmetic come from, words as numbers, and packed numbers as floats;
# torch itself stands in every key already.
LIBRARIES = (
    *("diffusers", "transformers", "tokenizers", "sentencepiece", "gguf"),
    *("torchsde", "scipy", "pillow", "spandrel"),
)
# The model library, and what reads the files for it.
MODELS = ("ponystudio.diffusion", "ponystudio.library", "ponystudio.pictures")
# In a frozen program the sources of the built-in nodes are gone too.
BUILT_IN = (*MODELS, "ponystudio_nodes")
# Files that ship and say what a prompt is.
TOKENIZERS = "tokenizers"
FROZEN = "fingerprints.json"


def fingerprints(sources: Mapping[str, Iterable[Path]]) -> dict[str, str]:
    """One fingerprint a pack: of its own sources, the model library's, the tokenizers that ship
    with it, and the libraries' versions.

    Every pack counts the model library, since any may call it. In a frozen program, where there
    are no sources, the built-in ones are read from a resource that was made when it was built.
    """
    shared = _model_library()
    return {pack: _digest(shared, _contents(files)) for pack, files in sources.items()}


def frozen_resource() -> str:
    """The text of the resource that stands for the sources in a frozen program."""
    return json.dumps({"sources": [_sources(name) for name in BUILT_IN]})


def _model_library() -> str:
    versions = "\n".join(f"{name} {installed_version(name)}" for name in LIBRARIES)
    folder = resource(TOKENIZERS)
    shipped = _contents((file for file in folder.rglob("*") if file.is_file()), folder)
    if getattr(sys, "frozen", False):
        frozen = json.loads(resource(FROZEN).read_text("utf-8"))
        return _digest(versions, shipped, *frozen["sources"])
    return _digest(versions, shipped, *map(_sources, MODELS))


def _sources(package: str) -> str:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    return _contents(folder.rglob("*.py"), folder)


def _contents(files: Iterable[Path], root: Path | None = None) -> str:
    """The files' names and bytes in one digest; a file that is gone counts as empty."""
    found = sorted((str(f.relative_to(root)) if root else f.name, f) for f in files)
    digest = hashlib.sha256()
    for name, path in found:
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def installed_version(name: str) -> str:
    """Of a distribution; "" where it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
