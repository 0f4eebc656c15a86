"""Nodes that show how a model reads words and pictures: tokens, scores, groups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ponystudio.api import (
    AestheticHead,
    Annotated,
    Choice,
    Clip,
    Context,
    File,
    Image,
    Label,
    Range,
    Text,
    VisionOutput,
    node,
)
from ponystudio.diffusion.families.text_encoder_specs import TOWERS
from ponystudio.diffusion.loading.load import recognise
from ponystudio.errors import MismatchedValues

if TYPE_CHECKING:
    from torch import Tensor

    from ponystudio.diffusion.text.token_lens import Pieces

COMPARED = ("tokens", "states", "prompts")
# Tokens a side of a table; more cannot be read.
MOST = 80
# Scores that a note tells.
MOST_TOLD = 8


class Lens(NamedTuple):
    image: Image
    text: str


@node(
    "core.token_lens",
    title="Token lens",
    group="Text",
    aliases=("Tokenizer", "CLIP tokens", "Embedding inspector", "Tokens"),
)
def token_lens(
    clip: Clip,
    *,
    text: Annotated[str, Text(lines=3, prompt=True)] = "",
    other: Annotated[str, Text(lines=3, prompt=True)] = "",
    compare: Annotated[str, Choice(COMPARED)] = "tokens",
    nearest: Annotated[int, Range(0, 20)] = 5,
    encoder: Annotated[str, Choice(("auto", *(tower.name for tower in TOWERS)))] = "auto",
    ctx: Context,
) -> Lens:
    """Show what a text encoder reads: the pieces of a prompt, and how alike they are.

    The picture is a table of cosines, from 0 (nothing in common) to 1 (the same); the text lists
    the pieces with their numbers, and the words whose vectors point most alike, which tells what
    an `embedding:name` stands for. The picture has it too, as far as there is room.

    Args:
        text: A prompt; for prompts, one on each line.
        other: What to compare it with; left empty, it is compared with itself.
        compare: tokens as the vocabulary has them; states, what the encoder makes of each in its
            place; prompts, each line as a whole.
        nearest: How many like words to list.
        encoder: Which of the text encoders, where a model has several.
    """
    from ponystudio.diffusion.images.heat_map import heat_map
    from ponystudio.diffusion.text.token_lens import cosines

    tower = "" if encoder == "auto" else encoder
    with ctx.models.open(clip) as reader:
        if compare == "prompts":
            lines, others = (
                [one for one in side.splitlines() if one.strip()] for side in (text, other)
            )
            others = others or lines
            vectors = {one: reader.summary(one, tower=tower) for one in {*lines, *others}}
            sides = [(side, [vectors[one] for one in side]) for side in (lines, others)]
            said = f"{len(lines)} prompts"
        else:
            cut = [reader.pieces(side, tower=tower) for side in (text, other or text)]
            sides = [(pieces.texts, list(_vectors(pieces, compare)[:, None])) for pieces in cut]
            said = _listed(cut[0], nearest)
    (rows, first), (columns, second) = ((names[:MOST], vectors[:MOST]) for names, vectors in sides)
    if not rows or not columns:
        raise MismatchedValues(
            "There are no words to look at.", socket="text", remedy="Write a prompt."
        )
    if max(len(names) for names, _ in sides) > MOST:
        ctx.note(f"The picture shows the first {MOST} of each side, the text all of them.")
    import torch

    table = cosines(torch.cat(first), torch.cat(second))
    picture = heat_map(table, rows, columns, f"Cosines of {compare}", said.splitlines()[:MOST])
    return Lens(Image(picture), said)


def _vectors(pieces: Pieces, compare: str) -> Tensor:
    return pieces.states if compare == "states" else pieces.vectors


def _listed(pieces: Pieces, nearest: int) -> str:
    """A line a piece: its number, or a star for a vector of an embedding; its text, and how often
    it is there; and the words whose vectors point most alike."""
    read = list(zip(pieces.ids, pieces.texts, strict=True))
    alike = dict(zip(read, pieces.nearest(nearest), strict=True))
    lines = [f"{len(read)} tokens"]
    for (id, text), count in Counter(read).items():
        listed = ", ".join(f"{word} {cosine:.2f}" for word, cosine in alike[id, text])
        number, often = "*" if id is None else id, f" (×{count})" if count > 1 else ""
        lines.append(f"{number:>6}  {text}{often}{': ' if listed else ''}{listed}")
    return "\n".join(lines)


@node(
    "core.load_aesthetic_head",
    title="Load aesthetic head",
    group="Models",
    aliases=("AestheticPredictor", "Aesthetic Score"),
)
def load_aesthetic_head(
    *, file: Annotated[Path, File("aesthetic_models")] = Path(), ctx: Context
) -> AestheticHead:
    """Open a small network that scores how much people like a picture.

    LAION's improved predictor (sac+logos+ava1-l14-linearMSE.pth), its older linear ones, and the
    classifier of Pony Diffusion (v2.ckpt) are known. All of them read CLIP ViT-L/14.

    Args:
        file: The network, by its name in the model folders.
    """
    recognise(file, "aesthetic_models")
    return AestheticHead(str(file), ctx.models.content(file), "")


class Scores(NamedTuple):
    score: float
    best: int
    text: str


@node(
    "core.score_pictures",
    title="Score pictures",
    group="Image",
    aliases=("Aesthetic Score", "AestheticScore", "Score_9"),
)
def score_pictures(
    aesthetic_head: AestheticHead, vision_output: VisionOutput, *, ctx: Context
) -> Scores:
    """Score how much people like pictures; `best` is the number of the best, from 0.

    LAION's heads score from about 1 to 10, Pony's from 0 to 1, which is told as score_0 to score_9
    too. Wire `best` into Pick from batch to go on with that picture.

    Args:
        vision_output: What CLIP ViT-L/14 sees, from Look at image.
    """
    from ponystudio.diffusion.images.aesthetics import tag

    embeds = _embeds(vision_output)
    with ctx.models.open(aesthetic_head) as scorer:
        scores, of_one = scorer(embeds).tolist(), scorer.of_one
    said = [f"{score:.3f} {tag(score)}" if of_one else f"{score:.2f}" for score in scores]
    best = max(range(len(scores)), key=scores.__getitem__)
    ctx.note(f"Score: {', '.join(said[:MOST_TOLD])}{' …' if len(said) > MOST_TOLD else ''}.")
    return Scores(scores[best], best, "\n".join(said))


class Grouped(NamedTuple):
    image: Image
    count: int
    text: str


@node(
    "core.group_pictures",
    title="Group pictures",
    group="Image",
    aliases=("Cluster images", "Style clusters", "Similar images"),
)
def group_pictures(
    image: Image,
    vision_output: VisionOutput,
    *,
    count: Annotated[int, Range(0, 256, soft=(0, 16)), Label("Groups")] = 0,
    similarity: Annotated[float, Range(0, 1, step=0.01)] = 0.8,
) -> Grouped:
    """Sort pictures into groups that look alike; the sheet shows a group in each row.

    With CLIP they are alike in what they show, with CSD in their style.

    Args:
        image: The pictures, as many as were looked at.
        vision_output: What is seen in them, from Look at image.
        count: How many groups; 0 leaves it to the similarity.
        similarity: How alike the pictures of a group are at least, on the mean, as a cosine.
    """
    from ponystudio.diffusion.images.aesthetics import groups
    from ponystudio.diffusion.images.heat_map import sheet

    embeds = _embeds(vision_output)
    if len(embeds) != len(image.pixels):
        raise MismatchedValues(
            f"There are {len(image.pixels)} pictures, and {len(embeds)} were looked at.",
            socket="image",
            remedy="Wire the same pictures into Look at image.",
        )
    found = groups(embeds, count=count, similarity=similarity)
    listed = [", ".join(str(number + 1) for number in group) for group in found]
    headings = [f"Group {n}: {numbers}" for n, numbers in enumerate(listed, 1)]
    return Grouped(Image(sheet(image.pixels, found, headings)), len(found), "\n".join(headings))


class Style(NamedTuple):
    text: str
    number: int


@node(
    "core.find_style_cluster",
    title="Style cluster",
    group="Image",
    aliases=("style_cluster", "Style classifier"),
)
def find_style_cluster(
    vision_output: VisionOutput,
    *,
    file: Annotated[Path, File("style_clusters")] = Path(),
) -> Style:
    """Say which style a picture has, by the word for it that Pony Diffusion V7 learned:
    style_cluster_0 to style_cluster_2047.

    Args:
        vision_output: What CSD sees in the picture, from Look at image.
        file: The centres of the styles, as they were published with Pony Diffusion V7.
    """
    from ponystudio.diffusion.images.aesthetics import nearest_centres, read_centres

    numbers = nearest_centres(_embeds(vision_output), read_centres(file))
    return Style("\n".join(f"style_cluster_{number}" for number in numbers), numbers[0])


def _embeds(seen: VisionOutput) -> Tensor:
    if seen.embeds is None:
        raise MismatchedValues(
            "This image encoder says nothing of a picture as a whole.",
            socket="vision_output",
            remedy="Take another one, such as CLIP ViT-L/14.",
        )
    return seen.embeds
