"""Two checkpoints block by block: the cosine of their weights, how far the second has moved from
the first, and what that means for LoRAs and ControlNets that were made for the first.

    cosine = Σ aᵢbᵢ / √(Σ aᵢ² · Σ bᵢ²)        distance = √(Σ (bᵢ − aᵢ)² / Σ aᵢ²)

Both files are read once, a piece at a time.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import torch

from ponystudio.diffusion.families import Family, tower_prefix
from ponystudio.diffusion.loading.block_ratios import block_place
from ponystudio.diffusion.loading.original_names import DENOISER, original_names
from ponystudio.diffusion.loading.part_weights import PartWeights
from ponystudio.diffusion.weights.name_table import without_ones
from ponystudio.errors import MismatchedValues

NOUNS = {"model": "denoiser", "clip": "text encoder", "vae": "autoencoder"}
# Kinds of layers, by what stands in the original names of their tensors; the first counts.
LAYERS = (
    (r"attn1\.", "self-attention"),
    (r"attn2\.", "cross-attention"),
    (r"attn|\bqkv\b|linear1|self_attn|SelfAttention", "attention"),
    (r"\.ff\.|mlp|DenseReluDense|linear2", "feed-forward"),
    (r"in_layers\.2|out_layers\.3|skip_connection|\.op\.|\.conv\.|conv\d", "convolutions"),
    (r"norm|\.ln|in_layers\.0|out_layers\.0|_norm", "norms"),
    (r"emb|mod|adaLN|time_in|vector_in|guidance_in", "embeddings, modulation"),
)
OTHER_LAYERS = "other layers"
# How far a model may have moved and still be the same, kin, or a distant relative: rules of thumb.
SAME, KIN, DISTANT = 0.02, 0.15, 0.5
# What is less alike was not trained from the same weights.
STRANGE_COSINE = 0.8


@dataclass
class WeightSums:
    """Σ a², Σ b², Σ ab and Σ (b − a)² of so many pairs of numbers."""

    aa: float = 0.0
    bb: float = 0.0
    ab: float = 0.0
    dd: float = 0.0
    count: int = 0

    def add(self, other: WeightSums) -> None:
        self.aa, self.bb, self.ab = self.aa + other.aa, self.bb + other.bb, self.ab + other.ab
        self.dd, self.count = self.dd + other.dd, self.count + other.count

    @property
    def cosine(self) -> float:
        """1 of equal directions; of two that are nothing, too."""
        length = math.sqrt(self.aa) * math.sqrt(self.bb)
        return max(-1.0, min(1.0, self.ab / length)) if length else float(self.aa == self.bb)

    @property
    def distance(self) -> float:
        """In lengths of the first; ∞ from nothing to something."""
        if not self.aa:
            return math.inf if self.dd else 0.0
        return math.sqrt(self.dd / self.aa)


@dataclass(frozen=True)
class ModelComparison:
    """`blocks` of each part in the order of their depth, `layers` of the denoiser by their kind.

    `alone`: of each part how many tensors only one of both has, or has in another size.
    `predictions`: what each predicts, where that is known.
    """

    names: tuple[str, str]
    family: str
    blocks: Mapping[str, Mapping[str, WeightSums]]
    layers: Mapping[str, WeightSums]
    alone: Mapping[str, int] = field(default_factory=dict)
    predictions: tuple[str, str] = ("", "")

    def total(self, part: str) -> WeightSums:
        """Of all that both have of a part."""
        return _sum(self.blocks.get(part, {}).values())

    @property
    def meaning(self) -> list[str]:
        """What it means for adapters that were made for the first, one sentence each."""
        return list(_meaning(self))

    @property
    def report(self) -> str:
        """All of it, in lines."""
        return "\n".join(_report(self))


def compare(
    first: Mapping[str, PartWeights],
    second: Mapping[str, PartWeights],
    *,
    predictions: tuple[str, str] = ("", ""),
    check: Callable[[int, int], object] = lambda *_: None,
) -> ModelComparison:
    """Compare the parts that both have. `check` is told before each tensor how many of how many are
    done, and may raise Cancelled. Raises MismatchedValues for parts of two families."""
    parts = [part for part in NOUNS if part in first and part in second]
    for part in parts:
        titles = [side[part].family.title for side in (first, second)]
        if part != "vae" and titles[0] != titles[1]:  # of an autoencoder alone nobody knows
            raise MismatchedValues(
                f"One is of {titles[0]} and the other of {titles[1]}: their weights have nothing in"
                " common.",
                remedy="Compare models of one family.",
            )
    blocks: dict[str, dict[str, WeightSums]] = {}
    layers: defaultdict[str, WeightSums] = defaultdict(WeightSums)
    alone = {}
    shared = {part: [*_shared(first[part], second[part])] for part in parts}
    total, done = sum(map(len, shared.values())), 0
    for part in parts:
        a, b = first[part], second[part]
        alone[part] = len(a.shapes.keys() | b.shapes.keys()) - len(shared[part])
        originals = {
            piece.ours: original
            for original, pieces in original_names(part, a.family, a.shapes).items()
            for piece in pieces
        }
        placed: defaultdict[tuple[tuple[int, int], str], WeightSums] = defaultdict(WeightSums)
        for name in shared[part]:
            check(done, total)
            sums, done = _sums(a, b, name), done + 1
            placed[_block(part, a.family, name, originals[name])].add(sums)
            if part == "model":
                layers[_layer(originals[name])].add(sums)
        blocks[part] = {block: sums for (_, block), sums in sorted(placed.items(), key=_place)}
    check(done, total)
    one, two = first[parts[0]], second[parts[0]]
    names, title = (one.path.name, two.path.name), one.family.title
    return ModelComparison(
        names,
        title,
        blocks,
        dict(sorted(layers.items())),
        alone,
        predictions,
    )


def _shared(a: PartWeights, b: PartWeights) -> Iterator[str]:
    for name in a.names:
        if name in b.shapes and without_ones(a.shapes[name]) == without_ones(b.shapes[name]):
            yield name


def _sums(a: PartWeights, b: PartWeights, name: str) -> WeightSums:
    total = WeightSums()
    for x, y in zip(a.pieces(name), b.pieces(name), strict=True):
        d = y - x
        aa, bb, ab, dd = (torch.dot(u, v).item() for u, v in ((x, x), (y, y), (x, y), (d, d)))
        total.add(WeightSums(aa, bb, ab, dd, len(x)))
    return total


def _place(item: tuple[tuple[tuple[int, int], str], WeightSums]) -> tuple[tuple[int, int], str]:
    return item[0]


def _block(part: str, family: Family, name: str, original: str) -> tuple[tuple[int, int], str]:
    """The place of a tensor's block, and what that is called."""
    if part == "model":
        place, block, _ = block_place(original.removeprefix(DENOISER))
        return place, block
    if part == "vae":
        if match := re.search(r"(encoder|decoder)\.(down|up|mid)\.?(\d*)", original):
            half, way, level = match.groups()
            order = {"down": int(level or 0), "mid": 50, "up": 99 - int(level or 0)}[way]
            return (half == "decoder", order), f"{half} {way} {level}".rstrip()
        return (original.find("decoder") >= 0, 100), "first and last layers"
    towers = enumerate(family.towers)
    n, tower = next(pair for pair in towers if name.startswith(tower_prefix(family, pair[1])))
    if match := re.search(r"(?:layers|block)\.(\d+)\.", name):
        return (n, int(match[1])), f"{tower.noun} {int(match[1]):02}"
    return (n, -1), f"{tower.noun} embeddings"


def _layer(original: str) -> str:
    return next((kind for pattern, kind in LAYERS if re.search(pattern, original)), OTHER_LAYERS)


def _sum(sums: Iterable[WeightSums]) -> WeightSums:
    total = WeightSums()
    for one in sums:
        total.add(one)
    return total


def _meaning(found: ModelComparison) -> Iterator[str]:
    a, b = found.names
    if all(found.total(part).dd == 0 for part in found.blocks) and not any(found.alone.values()):
        yield "Both hold the same weights: what was made for the one is made for the other."
        return
    if all(found.predictions) and found.predictions[0] != found.predictions[1]:
        yield (
            f"{a} predicts {found.predictions[0]} and {b} {found.predictions[1]}: they cannot be"
            " merged, and what a LoRA or ControlNet adds to the one is wrong for the other."
        )
    if "model" in found.blocks:
        yield from _of_denoiser(found)
    if "clip" in found.blocks:
        moved = found.total("clip").distance
        if moved > KIN:
            yield (
                f"The text encoders are {moved:.1%} apart: the same prompt says something else, and"
                f" words that LoRAs for {a} were taught mean little to {b}."
            )
        elif moved:
            yield f"The text encoders are {moved:.1%} apart: prompts are read alike."


def _of_denoiser(found: ModelComparison) -> Iterator[str]:
    a, b = found.names
    whole = found.total("model")
    attention = _sum(sums for kind, sums in found.layers.items() if "attention" in kind)
    # What a ControlNet was copied from: the way down and the middle, or all of a transformer.
    blocks = found.blocks["model"]
    down = _sum(sums for name, sums in blocks.items() if not name.startswith("OUT"))
    if whole.cosine < STRANGE_COSINE or whole.distance > DISTANT:
        yield (
            f"{b} is {whole.distance:.0%} of the length of {a}'s weights away from it: they are"
            " strangers, as two that were trained apart. As a rule LoRAs for the one do no good in"
            " the other, ControlNets give noise, and a weighted merge gives neither."
        )
        return
    degree = _degree(whole.distance)
    yield f"{b} has moved {whole.distance:.1%} from {a} ({degree}, as a rule of thumb)."
    if degree == "a distant relative":
        yield (
            f"LoRAs for {a} change layers that have moved {attention.distance:.1%} themselves, more"
            " than a LoRA usually does: expect weak or broken styles, and use those that were"
            f" trained on {b} or its kin."
        )
        yield (
            f"ControlNets for {a} answer to features of blocks that have moved"
            f" {down.distance:.1%}: at full strength the picture may be pure noise. Try a strength"
            " of 0.3 to 0.6 and an end of 0.5, or one that was made for this model."
        )
    else:
        yield (
            f"LoRAs for {a} change layers that have moved {attention.distance:.1%}, ControlNets"
            f" answer to blocks that have moved {down.distance:.1%}: both are of use, "
            + ("as they are." if degree == "as good as the same" else "at a strength to be found.")
        )


def _degree(distance: float) -> str:
    if distance <= SAME:
        return "as good as the same"
    return "kin" if distance <= KIN else "a distant relative"


def _report(found: ModelComparison) -> Iterator[str]:
    yield f"{found.names[0]} and {found.names[1]}, {found.family}"
    for part, blocks in found.blocks.items():
        yield ""
        yield _row(NOUNS[part], found.total(part))
        for block, sums in blocks.items():
            yield _row(f"  {block}", sums)
        if count := found.alone.get(part):
            yield f"  {count} tensors stand in one of both alone, or in another size"
    if found.layers:
        yield ""
        yield "layers of the denoiser"
        for kind, sums in found.layers.items():
            yield _row(f"  {kind}", sums)
    yield ""
    yield "what it means"
    for sentence in found.meaning:
        yield f"  - {sentence}"


def _row(name: str, sums: WeightSums) -> str:
    return f"{name:<26} cosine {sums.cosine:8.5f}   distance {sums.distance:7.2%}"
