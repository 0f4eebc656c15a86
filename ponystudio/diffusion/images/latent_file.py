"""`.latent` files: safetensors with `latent_tensor` in VAE units, as ComfyUI writes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ponystudio.errors import DamagedFile, UnknownModel, UnsafeFile, WrongKind
from ponystudio.library.recognition.signatures import LATENT

if TYPE_CHECKING:
    from torch import Tensor

# Present in files whose values are unscaled; files without it are from before and hold SD1 ones.
MARKER = "latent_format_version_0"
OLD_SCALE = 0.18215


def read_latent(path: Path) -> tuple[Tensor, str]:
    """Values [B,C,h,w] float32 and the family ("" where the file does not say).

    Raises DamagedFile for what is no file of tensors, WrongKind for one without a latent.
    """
    from ponystudio.diffusion.weights.weights import tensor
    from ponystudio.library.formats.weights_file import open_weights

    try:
        with open_weights(path) as file:
            if LATENT not in file.tensors:
                raise WrongKind(
                    "There is no latent in this file.",
                    where=str(path),
                    remedy="Choose a .latent file, saved here or by ComfyUI.",
                )
            values = tensor(file, LATENT).float().clone()
            marked, family = MARKER in file.tensors, file.metadata.get("ponystudio.family", "")
    except (DamagedFile, UnknownModel, UnsafeFile) as error:
        raise DamagedFile(
            f"This is no latent file, or it is damaged ({error.what.rstrip('.')}).",
            where=str(path),
            remedy="Save the latent again.",
        ) from None
    if not bool(values.isfinite().all()):
        raise DamagedFile(
            "The latent in this file holds values that are no numbers.",
            where=str(path),
            remedy="Save it again, from a run that gave a picture.",
        )
    if values.ndim != 4:
        raise DamagedFile(f"The latent has {values.ndim} dimensions instead of 4.", where=str(path))
    return values if marked else values / OLD_SCALE, family


def latent_bytes(values: Tensor, family: str, metadata: dict[str, str]) -> bytes:
    """The file's content for [B,C,h,w]; `metadata` travels in the header, the graph among it."""
    import torch
    from safetensors.torch import save

    tensors = {
        "latent_tensor": values.detach().float().cpu().contiguous(),
        MARKER: torch.tensor([]),
    }
    return bytes(save(tensors, metadata={**metadata, "ponystudio.family": family}))
