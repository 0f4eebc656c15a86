"""What a running node may ask of the engine, through its `ctx` parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ponystudio.api.values import Image, Latent, Mask, Recipe

if TYPE_CHECKING:
    import torch


class LazyTensor(Protocol):
    """A tensor of a file to be written: its dtype as safetensors calls it ("F16"), its shape, and
    its bytes, which are made when they are asked for."""

    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def bits(self) -> memoryview: ...


class Models(Protocol):
    """The pool of weights."""

    def open(self, recipe: Recipe, *, precise: bool = False) -> AbstractContextManager[Any]:
        """The network of a recipe, on the run's device, patched, and locked while open; `precise`:
        in a dtype that does not overflow, after that of the run did.

        A Model gives a `diffusion.Denoiser`, a Clip a `diffusion.TextEncoder`, a Vae a
        `diffusion.Autoencoder`, a ControlNet a `diffusion.ControlNetwork`, an Upscaler a
        `diffusion.SuperResolution`, a Vision a `diffusion.VisionEncoder`.
        """

    def weights(self, recipe: Recipe) -> AbstractContextManager[Any]:
        """The weights of a recipe in no network: a `diffusion.loading.part_weights.PartWeights`,
        which makes them one after the other, in float32 and in the main memory."""

    def sha256(self, path: Path) -> str:
        """The hash of a weights file, once it is read; "" of a folder."""

    def content(self, path: Path) -> str:
        """What stands for all bytes of a weights file or folder and of what beside it counts: equal
        only for equal ones. For recipes, within this process: of a large file that nobody has read
        yet it is not the hash.
        """


class Context(Protocol):
    """Handed to a node for the time of one call; nothing in it outlives the call.

    `frugal`: memory ran short when the node was run before, so it should work in smaller pieces.
    """

    node: str
    models: Models
    device: torch.device
    dtype: torch.dtype
    frugal: bool

    def progress(self, step: int, steps: int) -> None:
        """Say that `step` of `steps` is done; raises Cancelled when the user asked to stop."""

    def preview(self, image: Callable[[], Image]) -> None:
        """Offer a picture of the work so far; it is made only when somebody looks."""

    def check_cancelled(self) -> None:
        """Raise Cancelled when the user asked to stop. Call it in every loop of your own."""

    def short_of_memory(self, action: str) -> None:
        """Tell the user what this node does for lack of memory ("tiled decode")."""

    def note(self, text: str) -> None:
        """Tell the user something that is no error, in one plain sentence."""

    def save_picture(
        self,
        image: Image,
        *,
        prefix: str,
        format: str,
        quality: int = 95,
        alpha: Mask | None = None,
        metadata: str = "everything",
    ) -> list[Path]:
        """Write every picture of the batch into the output folder, with its graph inside.

        `format` is "png", "webp", "jpeg" or "avif"; `quality` (1..100) is for all but png, 100
        makes a webp lossless. `alpha` ([B or 1,1,H,W], 1 opaque) becomes the pictures'
        transparency, where the format has it. `metadata`: "everything", "without prompts" or
        "nothing" of how they were made, and never more than the user's settings allow.
        """

    def show_picture(self, image: Image, *, alpha: Mask | None = None) -> list[Path]:
        """Write the batch into the run's preview folder, for a node that only shows."""

    def save_weights(
        self, tensors: Mapping[str, LazyTensor], metadata: Mapping[str, str], *, prefix: str
    ) -> Path:
        """Write tensors as one `.safetensors` into the output folder, with the graph and the hash
        of all their numbers in its header. Each is made when its turn comes.

        Raises StorageFull before any is made, NotWritable, and Cancelled.
        """

    def save_latent(self, latent: Latent, *, prefix: str) -> list[Path]:
        """Write the whole batch as one `.latent` file (safetensors, `latent_tensor`)."""
