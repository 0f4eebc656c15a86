"""Nodes that merge models and save what comes of it. Merges are recipes: weights are mixed as they
are loaded, and a file is written only by Save checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ponystudio.api import (
    Annotated,
    Choice,
    Clip,
    Context,
    Image,
    Label,
    Merge,
    Model,
    Modifier,
    Predicts,
    Range,
    Recipe,
    Text,
    Vae,
    node,
)
from ponystudio.diffusion.loading.block_ratios import (
    CURVES,
    blocks_of,
    check_mergeable,
    merge_ratios,
)
from ponystudio.diffusion.loading.model_parts import predicts
from ponystudio.errors import MismatchedValues
from ponystudio.library.recognition.recognise import recognise

SHARES = ("first", "second")
NOUNS = {
    "eps": "noise",
    "v": "velocity",
    "flow": "flow",
    "x0": "the picture",
    "img_to_img": "a picture of another",
    "lcm": "noise as LCM has it",
    "edm": "as EDM does",
}
NOUN_OF = {"model": "model", "clip": "text encoder", "vae": "VAE"}
PRECISIONS = ("as stored", "fp16", "bf16", "fp32")
Ratio = Annotated[float, Range(-10, 10, soft=(0, 1), step=0.05)]
Curve = Annotated[str, Choice(tuple(CURVES))]
Blocks = Annotated[str, Text(lines=4)]
LAST_HELP = "At the last block, or for the curve middle in the middle; flat does without it."
CURVE_HELP = (
    "How the ratio goes from the first block to the last: flat, linear, smooth, or middle, there"
    " and back."
)
BLOCKS_HELP = (
    "What single blocks have instead, one a line: IN03: 0.5, IN00-IN05: 0.2, OUT: 0, M00:attn2: 1"
    " for the layers alone that have attn2 (the prompt), attn1, ff or norm in their names, or the"
    " beginning of names, output_blocks.3.: 0.5. Or a list of one number a block, as block weights"
    " are passed on."
)


@node(
    "core.merge_models",
    title="Merge models",
    group="Models",
    aliases=(
        *("ModelMergeSimple", "ModelMergeBlocks", "ModelMergeSD1", "ModelMergeSD2"),
        "ModelMergeSDXL",
        *("ModelMergeSD35_Large", "ModelMergeSD3_2B", "ModelMergeFlux1", "ModelMergeAuraflow"),
        *("Checkpoint Merger", "Weighted sum", "SuperMerger", "Merge Block Weighted", "MBW"),
    ),
)
def merge_models(
    model: Model,
    other: Model,
    *,
    ratio: Ratio = 0.5,
    curve: Annotated[Curve, Label(help=CURVE_HELP)] = "flat",
    last: Annotated[Ratio, Label("Last ratio", LAST_HELP)] = 0.5,
    blocks: Annotated[Blocks, Label(help=BLOCKS_HELP)] = "",
    share: Annotated[str, Choice(SHARES), Label("Share of the")] = "first",
    ctx: Context,
) -> Model:
    """Mix the weights of two models: ratio · first + (1 − ratio) · second, block by block.

    Nothing is written: the weights are mixed as they are loaded, in 32 bits, and then take the
    precision of the first model's file. LoRAs before this node are in what is mixed, those behind
    it come on top. A layer that the second lacks stays the first's.

    Args:
        other: The second model, of the same family and prediction.
        ratio: How much of the first model there is: 1 is all of it, 0 nothing.
        share: Whose share all these ratios are: the first's, as in ComfyUI, or the second's, the
            alpha of A1111 and SuperMerger.
    """
    check_mergeable(model, other, "other")
    _check_predictions(model, other)
    if _predicts(model) != _predicts(other):
        ctx.note("Only one of both was trained down to no signal; the merge is taken as the first.")
    ratios = merge_ratios(blocks_of(model), ratio=ratio, last=last, curve=curve, text=blocks)
    if share == "second":
        ratios = tuple((start, layers, 1 - r) for start, layers, r in ratios)
    return _merged(model, other, "weighted", ratios, ctx)


@node(
    "core.add_difference",
    title="Add difference",
    group="Models",
    aliases=("Add difference", "Checkpoint Merger", "trainDifference", "Merge Block Weighted"),
)
def add_difference(
    model: Model,
    tuned: Model,
    base: Model,
    *,
    ratio: Ratio = 1.0,
    curve: Annotated[Curve, Label(help=CURVE_HELP)] = "flat",
    last: Annotated[Ratio, Label("Last ratio", LAST_HELP)] = 1.0,
    blocks: Annotated[Blocks, Label(help=BLOCKS_HELP)] = "",
    ctx: Context,
) -> Model:
    """Add to a model what another one has learned since its base: model + ratio · (tuned − base).

    With a model for inpainting as the first, a style becomes one for inpainting; layers that take
    in more there keep what only they have.

    Args:
        tuned: The model that has learned something.
        base: What that one was trained from.
        ratio: How much of the difference is added.
    """
    check_mergeable(tuned, base, "base")
    check_mergeable(model, tuned, "tuned")
    _check_predictions(tuned, base, "base")
    ratios = merge_ratios(blocks_of(model), ratio=ratio, last=last, curve=curve, text=blocks)
    difference = _merged(tuned, base, "subtract", _flat(1.0), ctx)
    return _merged(model, difference, "add", ratios, ctx)


@node("core.add_models", title="Add models", group="Models", aliases=("ModelMergeAdd",))
def add_models(model: Model, other: Model, *, multiplier: Ratio = 1.0, ctx: Context) -> Model:
    """Add the weights of a model, or of a difference, to those of another: model + m · other.

    Args:
        other: What is added, mostly what Subtract models gives.
        multiplier: How much of it.
    """
    check_mergeable(model, other, "other")
    return _merged(model, other, "add", _flat(multiplier), ctx)


@node(
    "core.subtract_models", title="Subtract models", group="Models", aliases=("ModelMergeSubtract",)
)
def subtract_models(model: Model, other: Model, *, multiplier: Ratio = 1.0, ctx: Context) -> Model:
    """What a model has that another one has not: m · (model − other), to be added to a third.

    Args:
        other: What is taken away, mostly what the first was trained from.
        multiplier: What the difference is multiplied by.
    """
    check_mergeable(model, other, "other")
    _check_predictions(model, other)
    return _merged(model, other, "subtract", _flat(multiplier), ctx)


@node(
    "core.merge_clips",
    title="Merge text encoders",
    group="Models",
    aliases=("CLIPMergeSimple", "CLIPMergeAdd", "CLIPMergeSubtract"),
)
def merge_clips(
    clip: Clip,
    other: Clip,
    *,
    how: Annotated[str, Choice(Merge.hows)] = "weighted",
    ratio: Ratio = 0.5,
) -> Clip:
    """Mix the weights of two text encoders, as the nodes for models do it.

    Args:
        other: The second text encoder, of the same family.
        how: weighted is ratio · first + (1 − ratio) · second, add is first + ratio · second,
            subtract is ratio · (first − second).
        ratio: The share of the first, or what the second or the difference is multiplied by.
    """
    check_mergeable(clip, other, "other")
    return clip.with_patch(Merge(other, how, _flat(ratio)))


def _merged(
    model: Model, other: Model, how: str, ratios: tuple[tuple[str, str, float], ...], ctx: Context
) -> Model:
    if any(not isinstance(modifier, Predicts) for modifier in other.modifiers):
        ctx.note(
            f"What changes {Path(other.path).name} while it samples is no matter of its weights,"
            " and not merged."
        )
    return model.with_patch(Merge(replace(other, modifiers=()), how, ratios))


def _in_header(modifier: Modifier) -> bool:
    """Whether the header of a checkpoint has words for it."""
    return isinstance(modifier, Predicts) and modifier.answer in ("eps", "v")


def _flat(ratio: float) -> tuple[tuple[str, str, float], ...]:
    return (("", "", ratio),)


def _check_predictions(first: Model, second: Model, socket: str = "other") -> None:
    one, two = (NOUNS[_predicts(model)[0]] for model in (first, second))
    if one != two:
        raise MismatchedValues(
            f"The first model predicts {one} and the second {two}: what is mixed of both predicts"
            " neither.",
            socket=socket,
            remedy="Merge models of one prediction; where a file says it wrongly, choose the"
            " prediction in the node that loads it.",
        )


def _predicts(model: Model) -> tuple[str, bool]:
    """What it predicts, and whether it was trained down to no signal."""
    for modifier in model.modifiers:
        if isinstance(modifier, Predicts):
            return modifier.answer, modifier.zsnr
    return predicts(recognise(Path(model.path)), dict(model.options))


@node(
    "core.save_checkpoint",
    title="Save checkpoint",
    group="Models",
    effects=True,
    aliases=("CheckpointSave", "ModelSave", "CLIPSave", "VAESave", "Bake in VAE"),
)
def save_checkpoint(
    model: Model | None = None,
    clip: Clip | None = None,
    vae: Vae | None = None,
    *,
    prefix: Annotated[str, Text(file_name=True)] = "checkpoints/merged",
    precision: Annotated[str, Choice(PRECISIONS)] = "as stored",
    title: str = "",
    author: str = "",
    description: Annotated[str, Text(lines=3)] = "",
    ctx: Context,
) -> None:
    """Write a checkpoint into the output folder, LoRAs and merges baked in.

    One `.safetensors` in the layout of the original model, which other tools read too. Its header
    says what it is (modelspec), what it was made of (sd_merge_recipe) and has the graph inside.

    Args:
        model: The denoiser; alone it is saved alone.
        clip: The text encoder; alone it is saved alone.
        vae: The autoencoder; alone it is saved alone.
        prefix: Start of the file's name; may name folders inside the output folder. What is filled
            in is the same as in that of Save image.
        precision: Of the numbers; as stored keeps that of the first file, but makes 16-bit floats
            of those of 8 bits and fewer.
        title: What the header calls it; left free, the names of its models.
        author: Who made it.
        description: What it is for.
    """
    from ponystudio.diffusion.checkpoints.checkpoint_tensors import (
        checkpoint_tensors,
        few_bits,
        header,
        marker,
    )

    recipes: dict[str, Recipe] = {
        recipe.part: recipe for recipe in (model, clip, vae) if recipe is not None
    }
    if not recipes:
        raise MismatchedValues(
            "There is nothing to save.",
            remedy="Wire a model, a text encoder or a VAE into it.",
        )
    with ExitStack() as stack:
        parts = {
            part: stack.enter_context(ctx.models.weights(recipe))
            for part, recipe in recipes.items()
        }
        if precision == "as stored":
            for part, weights in parts.items():
                if few_bits(weights):
                    ctx.note(f"The {NOUN_OF[part]} is of 8 bits or fewer, and saved with 16.")
        tensors = checkpoint_tensors(parts, precision)
        prediction, zsnr = _predicts(model) if model else ("", False)
        if prediction == "v":  # as ComfyUI marks them
            tensors |= {"v_pred": marker()} | ({"ztsnr": marker()} if zsnr else {})
        names = _names(recipes.values())
        said = header(
            parts,
            prediction=prediction,
            zsnr=zsnr,
            title=title or " × ".join(Path(name).stem for name in names),
            author=author,
            description=description,
            merged_from=names if len(names) > 1 else (),
        )
        if model and any(not _in_header(modifier) for modifier in model.modifiers):
            ctx.note(
                "What changes the model while it samples is no matter of its weights, and not"
                " saved."
            )
        ctx.save_weights(tensors, said | _recipe(recipes, ctx), prefix=prefix)


def _names(recipes: Iterable[Recipe]) -> list[str]:
    """Of the files that weights are of, each once."""
    files = (path for recipe in recipes for path, _ in recipe.files)
    return list(dict.fromkeys(Path(path).name for path in files))


def _recipe(recipes: Mapping[str, Recipe], ctx: Context) -> dict[str, str]:
    """How it was made, in the fields in which A1111's merger says that."""
    if not any(recipe.patches for recipe in recipes.values()):
        return {}
    hashes: dict[str, str] = {}

    def file(path: str) -> dict[str, str]:
        name = Path(path).name
        hashes.setdefault(name, ctx.models.sha256(Path(path)))
        return {"file": name, **({"sha256": hashes[name]} if hashes[name] else {})}

    def tree(recipe: Recipe) -> dict[str, Any]:
        steps: list[dict[str, Any]] = []
        for patch in recipe.patches:
            if isinstance(patch, Merge):
                ratios = [[start, layers, r] for start, layers, r in patch.ratios]
                steps.append({"merge": patch.how, "ratios": ratios, "with": tree(patch.other)})
            else:
                steps.append({"lora": file(patch.path), "strength": patch.strength})
        return (
            file(recipe.path)
            | ({"options": dict(recipe.options)} if recipe.options else {})
            | ({"steps": steps} if steps else {})
        )

    made = {"type": "ponystudio", **{part: tree(recipe) for part, recipe in recipes.items()}}
    models = {hash_: {"name": name} for name, hash_ in hashes.items() if hash_}
    return {"sd_merge_recipe": json.dumps(made), "sd_merge_models": json.dumps(models)}


class Compared(NamedTuple):
    image: Image
    text: str


@node(
    "core.compare_models",
    title="Compare models",
    group="Models",
    aliases=("Model similarity", "asimilarity", "Cosine similarity"),
)
def compare_models(
    model: Model,
    other: Model,
    clip: Clip | None = None,
    other_clip: Clip | None = None,
    *,
    ctx: Context,
) -> Compared:
    """How alike two models are, block by block, before anything is painted with them.

    Gives a chart and a text: the cosine of their weights, how far the second has moved from the
    first, and what that means for LoRAs and ControlNets that were made for the first. LoRAs and
    merges count.

    Args:
        other: The second model, of the same family.
        clip: The text encoder of the first, if those are to be compared too.
        other_clip: That of the second.
    """
    import numpy
    import torch

    from ponystudio.diffusion.checkpoints.comparison_chart import chart
    from ponystudio.diffusion.checkpoints.model_comparison import compare

    pairs = [(model, other)] + ([(clip, other_clip)] if clip and other_clip else [])
    if bool(clip) != bool(other_clip):
        ctx.note("Only one text encoder is wired in, so those are not compared.")
    with ExitStack() as stack:
        one, two = (
            {pair[side].part: stack.enter_context(ctx.models.weights(pair[side])) for pair in pairs}
            for side in (0, 1)
        )
        predictions = NOUNS[_predicts(model)[0]], NOUNS[_predicts(other)[0]]
        found = compare(one, two, predictions=predictions, check=ctx.progress)
    for sentence in found.meaning:
        ctx.note(sentence)
    pixels = torch.from_numpy(numpy.array(chart(found), dtype=numpy.float32) / 255)
    return Compared(Image(pixels.permute(2, 0, 1)[None].contiguous()), found.report)
