"""What of two models may be mixed, and how much of each: blocks by the names that mergers know them
by, ratios along their depth, and what users write of single blocks and layers. Torch-free.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from string import digits
from typing import NamedTuple, Protocol

from ponystudio.diffusion.families import Family, find_family
from ponystudio.diffusion.loading.load import Options, part_shapes
from ponystudio.diffusion.loading.original_names import DENOISER, original_names
from ponystudio.diffusion.weights.name_table import without_ones
from ponystudio.errors import MismatchedValues, listed

Shape = tuple[int, ...]
# (beginning of their names, what must stand in them, r), as `api.Merge.ratios`.
Ratios = Iterable[tuple[str, str, float]]

# The first layers of denoisers: those that are shown more than a latent have more columns there.
INPUTS = ("conv_in.weight", "x_embedder.weight", "pos_embed.proj.weight")
# What the originals call their blocks, in the order of their depth → what mergers do.
KINDS = {
    "input_blocks": "IN",
    "double_blocks": "D",
    "double_layers": "D",
    "joint_blocks": "J",
    "single_blocks": "S",
    "single_layers": "S",
    "middle_block": "M",
    "output_blocks": "OUT",
}
# What stands behind all blocks; the rest of what is in none stands before them.
ENDS = ("out", "final_layer", "final_linear", "modF")
CURVES: Mapping[str, Callable[[float], float]] = {
    "flat": lambda _: 0.0,
    "linear": lambda depth: depth,
    "smooth": lambda depth: (1 - math.cos(math.pi * depth)) / 2,
    "middle": lambda depth: math.sin(math.pi * depth),
}
# How a ratio may be written: block[:layers]:ratio.
ITEM = re.compile(r"([^:=]+)(?:[:=]([^:=]+))?[:=]\s*([-+]?[\d.]+(?:e[-+]?\d+)?)")
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
REMEDY = "Write one a line, as IN03: 0.5, IN00-IN05: 0.2, M00:attn2: 1 or output_blocks.3.: 0.5."


class WeightsRecipe(Protocol):
    """What of `api.Recipe` is needed here."""

    @property
    def part(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def options(self) -> Options: ...


class Blocks(NamedTuple):
    """`starts`: the beginnings of the original names of what is in each block, by its name, in the
    order of depth; `names`: all original names."""

    starts: Mapping[str, tuple[str, ...]]
    names: Sequence[str]


def shapes_of(recipe: WeightsRecipe) -> Mapping[str, Shape]:
    return part_shapes(Path(recipe.path), recipe.part, recipe.options)


def check_mergeable(first: WeightsRecipe, second: WeightsRecipe, socket: str) -> None:
    """Raise MismatchedValues unless the weights of both can be mixed; `socket` gives the second."""
    if first.family != second.family:
        titles = [find_family(recipe.family).title for recipe in (first, second)]
        raise MismatchedValues(
            f"One is of {titles[0]} and the other of {titles[1]}: their weights have nothing in"
            " common.",
            socket=socket,
            remedy="Merge models of one family.",
        )
    mine, theirs = shapes_of(first), shapes_of(second)
    for name in mine.keys() & theirs.keys():
        try:
            check_shapes(name, mine[name], theirs[name], Path(second.path))
        except MismatchedValues as error:
            error.socket = socket
            raise


def check_shapes(name: str, mine: Shape, theirs: Shape, path: Path) -> None:
    """Raise MismatchedValues unless two tensors can be mixed."""
    if without_ones(mine) == without_ones(theirs):
        return
    if name in INPUTS and (mine[0], mine[2:]) == (theirs[0], theirs[2:]):
        return
    raise MismatchedValues(
        f"The layer {name.removesuffix('.weight')!r} is {list(theirs)} there and {list(mine)} in"
        " the model that it is to be merged with.",
        where=str(path),
        remedy="Merge models of the same family and size.",
    )


def blocks_of(recipe: WeightsRecipe) -> Blocks:
    """The blocks of a denoiser by the names that mergers know them by: IN00…, M00, OUT00… of UNets,
    IN, D00… or J00…, S00…, OUT of transformers."""
    originals = original_names(recipe.part, find_family(recipe.family), shapes_of(recipe))
    names = [name.removeprefix(DENOISER) for name in originals]
    found: dict[tuple[int, int], tuple[str, dict[str, None]]] = {}
    last = len(KINDS)
    for name in names:
        place, block, start = block_place(name)
        found.setdefault(place, (block, {}))[1][start] = None
    if any(name.startswith("middle_block.") for name in names):
        # What is in no block of a UNet is counted to the first and the last.
        for place, neighbour in (((-1, 0), min), ((last, 0), max)):
            if place in found:
                _, starts = found.pop(place)
                found[neighbour(found)][1].update(starts)
    ordered = [found[place] for place in sorted(found)]
    return Blocks({block: tuple(starts) for block, starts in ordered}, names)


def merge_ratios(
    blocks: Blocks, *, ratio: float, last: float, curve: str, text: str
) -> tuple[tuple[str, str, float], ...]:
    """The ratios of a merge: from `ratio` at the first block to `last` at the last one, or for the
    curve "middle" in the middle; then what `text` says of single blocks.

    `text`: lines as REMEDY has them, of blocks, ranges, kinds of blocks (IN) or beginnings of
    original names, each with a part of the names of layers if it is for those alone; or one number
    a block, as lists of block weights are passed on, which may begin with the text encoder's.
    Raises MismatchedValues for what is not understood, and for a block or layer that is not there.
    """
    rules = [("", "", ratio)]
    if curve != "flat":
        n = max(1, len(blocks.starts) - 1)
        for k, starts in enumerate(blocks.starts.values()):
            r = ratio + (last - ratio) * CURVES[curve](k / n)
            rules += [(start, "", r) for start in starts]
    items = [item.strip() for item in re.split(r"[,;\n]", text) if item.strip()]
    if items and all(NUMBER.fullmatch(item) for item in items):
        return (*rules, *_in_order(blocks, [float(item) for item in items]))
    for item in items:
        rules += _said(blocks, item)
    return tuple(rules)


def ratio_of(
    part: str, family: Family, names: Iterable[str], ratios: Ratios
) -> Callable[[str], float]:
    """The ratio of each of our tensors; `names` are those of all of them."""
    rules = list(ratios)
    originals = {
        piece.ours: original.removeprefix(DENOISER)
        for original, pieces in original_names(part, family, names).items()
        for piece in pieces
    }

    def find(name: str) -> float:
        fitting = [
            (bool(layers), len(start), n)
            for n, (start, layers, _) in enumerate(rules)
            if originals[name].startswith(start) and layers in originals[name]
        ]
        return rules[max(fitting)[-1]][-1]

    return find


def block_place(name: str) -> tuple[tuple[int, int], str, str]:
    """Of an original name: the place of its block, what that is called, and how its names begin."""
    match = re.match(r"(\w+)\.(\d+)\.", name)
    if match and match[1] in KINDS:
        kind, n = match[1], int(match[2])
        if kind == "middle_block":
            return (list(KINDS).index(kind), 0), "M00", "middle_block."
        return (list(KINDS).index(kind), n), f"{KINDS[kind]}{n:02}", f"{kind}.{n}."
    head, dot, _ = name.partition(".")
    if head in ENDS:
        return (len(KINDS), 0), "OUT", head + dot
    return (-1, 0), "IN", head + dot


def _in_order(blocks: Blocks, numbers: Sequence[float]) -> list[tuple[str, str, float]]:
    """One number a block, without that of the text encoder before them."""
    count = len(blocks.starts)
    if len(numbers) not in (count, count + 1):
        raise _wrong(
            f"There are {len(numbers)} ratios, and this model has {count} blocks",
            f"Give {count}, or {count + 1} with that of the text encoder (BASE) as the first.",
        )
    pairs = zip(blocks.starts.values(), numbers[-count:], strict=True)
    return [(start, "", number) for starts, number in pairs for start in starts]


def _said(blocks: Blocks, item: str) -> list[tuple[str, str, float]]:
    match = ITEM.fullmatch(item)
    if not match or not NUMBER.fullmatch(match[3]):
        raise _wrong(f"{item!r} gives no ratio to a block")
    layers, ratio = (match[2] or "").strip(), float(match[3])
    starts = _starts(blocks, match[1].strip())
    if layers and not any(name.startswith(starts) and layers in name for name in blocks.names):
        raise _wrong(f"No layer of {match[1].strip()} has {layers!r} in its name")
    return [(start, layers, ratio) for start in starts]


def _starts(blocks: Blocks, said: str) -> tuple[str, ...]:
    """The beginnings of what a block, a range of blocks, a kind of blocks or a beginning means."""
    upper, known = said.upper(), list(blocks.starts)
    if upper in ("*", "ALL"):
        return ("",)
    if upper == "BASE":
        raise _wrong("BASE is the text encoder", "Merge it with the node Merge text encoders.")
    first, dash, end = (part.strip() for part in upper.partition("-"))
    if dash and first in known and end in known:
        chosen = known[known.index(first) : known.index(end) + 1]
    elif upper in known:
        chosen = [upper]
    else:
        chosen = [block for block in known if block.rstrip(digits) == upper]
    if chosen:
        return tuple(start for block in chosen for start in blocks.starts[block])
    if any(name.startswith(said) for name in blocks.names):
        return (said,)
    raise _wrong(f"This model has no block {said!r}; it has {listed(known, 60)}")


def _wrong(what: str, remedy: str = REMEDY) -> MismatchedValues:
    return MismatchedValues(f"{what}.", socket="blocks", remedy=remedy)
