"""Tokenizers that lie beside a model: where, and of which models they are a part.

Those of CLIP and T5 ship with PonyStudio; UMT5's, which AuraFlow reads with, come with each model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

# As folders of diffusers' call it, in the order of preference, and what stands behind a model's
# name in a file that is its own.
FILES = ("tokenizer.json", "tokenizer.model", "spiece.model")
# In a diffusers folder.
FOLDER = "tokenizer"
# In UMT5 every layer has a table of distances, in T5 the first alone; the second is llama.cpp's.
UMT5 = (
    "encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight",
    "enc.blk.1.attn_rel_b.weight",
)


def counts(names: Iterable[str]) -> bool:
    """Whether a tokenizer beside a model of these tensors changes what it says."""
    return any(name.endswith(UMT5) for name in names)


def of_name(path: Path) -> Path | None:
    """The tokenizer beside a model file that is called after it: `name.tokenizer.json`."""
    return _first(path.parent, (f"{path.stem}.{name}" for name in FILES))


def beside(path: Path) -> Path | None:
    """The one beside a model file under a plain name; or in a folder, beside its text encoder."""
    if not path.is_dir():
        return _first(path.parent, FILES)
    folders = (path / FOLDER, path, path.parent / FOLDER)
    return next((found for folder in folders if (found := _first(folder, FILES))), None)


def _first(folder: Path, names: Iterable[str]) -> Path | None:
    # As text: every plan of a run asks for each of its files.
    start = os.path.join(folder, "")  # noqa: PTH118
    return next((Path(start + name) for name in names if os.path.isfile(start + name)), None)  # noqa: PTH113
