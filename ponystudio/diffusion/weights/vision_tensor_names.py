"""What the tensors of an image encoder are called in a file, and where they stand.

Ours are transformers': those of CLIPVisionModel, with `vision_model.` before them where they are
projected, and those of SiglipVisionModel. Torch-free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ponystudio.diffusion.weights.name_table import THIRDS, TRANSPOSED, Naming, Table, renamed
from ponystudio.diffusion.weights.tensor_names import below, count
from ponystudio.diffusion.weights.text_tensor_names import OPEN_CLIP_LAYERS, QKV
from ponystudio.library.recognition.signatures import image_encoder

if TYPE_CHECKING:
    from ponystudio.library.formats.tensor_info import TensorInfo

ROOT, PROJECTION = "vision_model.", "visual_projection.weight"
BRANCHES = (
    *("embeddings.", "encoder.layers.", "pre_layrnorm.", "post_layernorm.", "head."),
    *("class_embedding", "positional_embedding", "conv1.", "ln_pre.", "ln_post.", "proj"),
    "transformer.resblocks.",
)


def naming(tensors: Mapping[str, TensorInfo]) -> Naming:
    """Where ours stand; nothing where there is no image encoder."""
    found = image_encoder(tensors)
    if found is None:
        return Naming({})
    part = {
        name: key
        for name, key in below(tensors, found.prefix, BRANCHES).items()
        if not name.endswith(".position_ids")
    }
    # Beside transformers' `vision_model`; open_clip has it among the others.
    projection = found.prefix.removesuffix(ROOT) + PROJECTION
    if not found.open_clip and projection in tensors:
        part[PROJECTION] = projection
    projected = PROJECTION in part or "proj" in part
    root = ROOT if projected else ""
    return renamed(part, _table(part, root))


def _table(part: Iterable[str], root: str) -> Table:
    """(theirs, ours, cut): transformers' own are only put under the root."""
    names = list(part)
    for name in names:
        if name.startswith(("embeddings.", "encoder.", "pre_layrnorm.", "post_layernorm.")):
            yield name, root + name, None
    yield "proj", PROJECTION, TRANSPOSED
    yield "class_embedding", f"{root}embeddings.class_embedding", None
    yield "positional_embedding", f"{root}embeddings.position_embedding.weight", None
    yield "conv1", f"{root}embeddings.patch_embedding", None
    yield "ln_pre", f"{root}pre_layrnorm", None
    yield "ln_post", f"{root}post_layernorm", None
    for n in range(count(names, r"transformer\.resblocks\.(\d{1,4})\.")):
        there, here = f"transformer.resblocks.{n}", f"{root}encoder.layers.{n}"
        for theirs, ours in OPEN_CLIP_LAYERS.items():
            yield f"{there}.{theirs}", f"{here}.{ours}", None
        for layer, cut in zip(QKV, THIRDS, strict=True):
            for leaf in ("weight", "bias"):
                fused = f"{there}.attn.in_proj_{leaf}"
                yield fused, f"{here}.self_attn.{layer}.{leaf}", cut
