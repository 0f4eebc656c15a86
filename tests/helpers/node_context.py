"""A context for nodes that are called as plain functions, and a record of what they asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ponystudio.api import Image, Latent, Recipe


class FakeContext:
    """`networks` are what `models.open` gives, by the path of the recipe."""

    def __init__(self, networks: Mapping[str, Any] | None = None, *, frugal: bool = False) -> None:
        self.node = "node"
        self.models = self
        self.device = torch.device("cpu")
        self.dtype = torch.float32
        self.frugal = frugal
        self.networks = networks or {}
        self.saved: list[dict[str, Any]] = []
        self.steps: list[tuple[int, int]] = []
        self.notes: list[str] = []

    @contextmanager
    def open(self, recipe: Recipe) -> Iterator[Any]:
        yield self.networks[recipe.path]

    def content(self, path: Path) -> str:
        return f"content of {path.name}"

    def progress(self, step: int, steps: int) -> None:
        self.steps.append((step, steps))

    def preview(self, image: Callable[[], Image]) -> None:
        image()

    def check_cancelled(self) -> None:
        pass

    def short_of_memory(self, action: str) -> None:
        raise AssertionError(action)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def save_picture(self, image: Image, **how: Any) -> list[Path]:
        self.saved.append({"image": image, **how})
        return []

    def show_picture(self, image: Image, **how: Any) -> list[Path]:
        self.saved.append({"image": image, **how})
        return []

    def save_weights(
        self, tensors: Mapping[str, Any], metadata: Mapping[str, str], **how: Any
    ) -> Path:
        self.saved.append({"tensors": tensors, "metadata": metadata, **how})
        return Path()

    def save_latent(self, latent: Latent, **how: Any) -> list[Path]:
        self.saved.append({"latent": latent, **how})
        return []
