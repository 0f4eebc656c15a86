"""A node that writes what a model has learned, or a merge has changed, as a LoRA."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from ponystudio.api import (
    Annotated,
    Choice,
    Clip,
    Context,
    Label,
    Model,
    Range,
    Recipe,
    Text,
    node,
)
from ponystudio.diffusion.loading.block_ratios import check_mergeable
from ponystudio.errors import MismatchedValues

PRECISIONS = ("fp16", "bf16", "fp32")
# A share of the difference below which much of it is lost.
_MUCH = 0.9


@node(
    "core.save_lora",
    title="Save LoRA",
    group="Models",
    effects=True,
    aliases=("LoraSave", "Extract LoRA", "Extract and Save Lora", "LoRA from difference"),
)
def save_lora(
    model: Model | None = None,
    base: Model | None = None,
    clip: Clip | None = None,
    base_clip: Clip | None = None,
    *,
    rank: Annotated[int, Range(1, 4096, soft=(4, 256))] = 32,
    whole: Annotated[bool, Label("Whole differences")] = False,
    biases: Annotated[bool, Label("Biases and norms")] = True,
    precision: Annotated[str, Choice(PRECISIONS)] = "fp16",
    prefix: Annotated[str, Text(file_name=True)] = "loras/extracted",
    ctx: Context,
) -> None:
    """Write the difference of two models as a LoRA, which makes of the one what the other is.

    Of each layer's difference the nearest product of two narrow matrices is kept. Other tools read
    the file too. LoRAs and merges that are in the models count.

    Args:
        model: What has learned something; alone it is a difference already (Subtract models).
        base: What it was made from.
        clip: The text encoder of the first; alone a difference already.
        base_clip: That of the second.
        rank: How many numbers stand for each row and column; more is nearer and larger.
        whole: Keep all of every difference; the file is as large as the model.
        biases: Keep the differences of biases and norms too, which have no rank.
        precision: Of the numbers in the file.
        prefix: Start of the file's name; may name folders inside the output folder. What is filled
            in is the same as in that of Save image.
    """
    import torch

    from ponystudio.diffusion.checkpoints.checkpoint_tensors import CheckpointTensor
    from ponystudio.diffusion.checkpoints.lora_extraction import Kept, extracted

    pairs: list[tuple[Recipe, Recipe | None]] = []
    if model:
        pairs.append((model, base))
    if clip:
        pairs.append((clip, base_clip))
    if not pairs:
        raise MismatchedValues(
            "There is nothing to save.", remedy="Wire a model or a text encoder into it."
        )
    for recipe, other in pairs:
        if other is not None:
            check_mergeable(recipe, other, "base" if recipe is model else "base_clip")
    dtype = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    said = {"fp16": "F16", "bf16": "BF16", "fp32": "F32"}[precision]
    kept, tensors = Kept(), {}
    for recipe, other in pairs:
        with ExitStack() as stack:
            weights = stack.enter_context(ctx.models.weights(recipe))
            without = stack.enter_context(ctx.models.weights(other)) if other else None
            for name, value in extracted(
                weights,
                without,
                rank=0 if whole else rank,
                biases=biases,
                device=ctx.device,
                kept=kept,
                check=ctx.progress,
            ):
                made = value.to(dtype).cpu().contiguous()
                tensors[name] = CheckpointTensor(said, tuple(made.shape), lambda made=made: made)
    if not tensors:
        raise MismatchedValues(
            "Both are the same: there is no difference to save.",
            socket="base" if base else "model",
            remedy="Wire in another model, or one with LoRAs or merges in it.",
        )
    if kept.share < _MUCH:
        ctx.note(f"At rank {rank} the LoRA has {kept.share:.0%} of the difference; more has more.")
    ctx.save_weights(tensors, _header(pairs, rank, whole=whole), prefix=prefix)


def _header(pairs: list[tuple[Recipe, Recipe | None]], rank: int, *, whole: bool) -> dict[str, str]:
    """What other tools look for in the header of a LoRA."""
    from ponystudio.diffusion.checkpoints.checkpoint_tensors import ARCHITECTURES

    recipe, base = pairs[0]
    names = [Path(one.path).name for one in (recipe, base) if one]
    said = {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": f"{ARCHITECTURES.get(recipe.family, recipe.family)}/lora",
        "modelspec.title": " − ".join(Path(name).stem for name in names),
        "ss_network_module": "networks.lora",
    }
    if not whole:
        said |= {"ss_network_dim": str(rank), "ss_network_alpha": str(rank)}
    if base:
        said["ss_sd_model_name"] = names[1]
    return said
