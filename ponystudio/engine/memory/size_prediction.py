"""How much memory a network will take, told by its files before it is loaded."""

from __future__ import annotations

from pathlib import Path

import torch

from ponystudio.api import Recipe
from ponystudio.errors import ModelFileError
from ponystudio.library.recognition.recognise import recognise


def predicted_size(recipe: Recipe, dtype: torch.dtype) -> int:
    """Bytes that the part will take, of all files that it is in."""
    others = [str(value) for name, value in recipe.options if name == "with"]
    return sum(_size_in(Path(path), recipe.part, dtype) for path in (recipe.path, *others))


def _size_in(path: Path, part: str, dtype: torch.dtype) -> int:
    try:
        found = recognise(path).parts.get(part)
    except ModelFileError:
        found = None
    if found is not None:
        return int(found.parameters * dtype.itemsize)
    return path.stat().st_size if path.is_file() else 0
