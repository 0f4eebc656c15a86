"""What lists of entries say of a picture: D(x, σ) of each side of a guidance.

An entry may hold for a part of the picture, where a mask is, more or less strongly than others, and
for a part of the run. At each cell a side is the mean of its entries, Σ m·D / Σ m, as in ComfyUI; a
cell that none of them covers is 0. What the network is asked at a step goes in as few calls as
there are sizes, and the same question is asked once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ponystudio.api import Area, Control, Entry, Latent, Recipe
from ponystudio.diffusion.sampling import unclip
from ponystudio.diffusion.sampling.parameterisation import Parameterisation, Predictor
from ponystudio.diffusion.sampling.shown_latents import beside, check_shown
from ponystudio.errors import MismatchedValues

# Names of inputs that are no arguments of the network: what stands beside x, and the first, second,
# ... picture that it refers to.
SHOWN, REFERENCE = "shown", "reference "
# Repeating tokens changes no result but costs time; beyond this factor two calls are cheaper.
_MOST_REPEATS = 4
# What an area's weight rises over from its border, in cells; less in a small one.
_RAMP = 8
# The least side of the part that is cut out around a mask, in cells.
_LEAST_SIDE = 8
# What stands under the fraction where no entry covers a cell.
_NOTHING = 1e-37


class DenoiserProtocol(Predictor, Protocol):
    """The network: (x [B,C,h,w] float32 as scaled for it, t [B], context [B,n,width]) → float32."""

    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def in_channels(self) -> int: ...
    @property
    def largest(self) -> int: ...
    @property
    def module(self) -> Any: ...
    @property
    def pictured(self) -> int: ...
    @property
    def features(self) -> unclip.FeatureScale | None: ...

    @property
    def steering(self) -> Callable[[Control, Sequence[int]], ActiveControlProtocol]: ...

    def __call__(self, x: Tensor, t: Tensor, context: Tensor, **extra: Any) -> Tensor: ...


class ActiveControlProtocol(Protocol):
    """A ControlNet at work: at a part of the latents, in rows for these of the pictures, it is one
    of the network's `controls`."""

    def at(self, part: tuple[int, int, int, int] | None, pictures: Sequence[int]) -> Any: ...


class Crop(NamedTuple):
    """A part of a latent, in cells."""

    top: int
    left: int
    height: int
    width: int

    def of(self, x: Tensor) -> Tensor:
        return x[..., self.top : self.top + self.height, self.left : self.left + self.width]

    def holds(self, other: Crop) -> bool:
        return (
            self.top <= other.top
            and self.left <= other.left
            and other.top + other.height <= self.top + self.height
            and other.left + other.width <= self.left + self.width
        )


@dataclass(frozen=True, eq=False)
class Side:
    """Entries that together say one thing, and `mode`: how the network is changed while it answers
    them, as its `mode` argument knows it; None for not at all. `negative`: they say what shall not
    be."""

    entries: tuple[Entry, ...]
    mode: Any = None
    negative: bool = False


@dataclass(frozen=True, eq=False)
class _Part:
    """An entry of a side, on its `crop` (None: everywhere), with its `weight` [1 or B,1,h,w] there
    (None: 1), while last ≤ σ ≤ first."""

    side: int
    entry: Entry
    crop: Crop | None
    weight: Tensor | None
    first: float
    last: float

    def holds_at(self, σ: float) -> bool:
        return self.last <= σ <= self.first

    @property
    def whole(self) -> bool:
        return self.crop is None and self.weight is None


@dataclass(frozen=True, eq=False)
class _Call:
    """Rows that go to the network together: each row with the parts that it answers, on boxes of
    one size, the inputs of all rows by name, the mode of the network, and what steers it, all on
    the first box then."""

    rows: tuple[tuple[Crop | None, tuple[_Part, ...]], ...]
    inputs: dict[str, Tensor]
    mode: Any
    controls: tuple[Control, ...]


class Composition:
    """D(x, σ) of each of `sides`, for x of `shape` [B,C,h,w].

    `sizes` are those of the picture, for entries that name no others; `seed` is its own, for the
    noise on what unCLIP models are told; `networks` are those that entries name; `rows` bounds how
    many rows the network gets at once, to save memory (None: all that go together). `shown`: what a
    network for inpainting is shown, for entries that name nothing else.
    Raises MismatchedValues for entries that do not fit x.
    """

    def __init__(
        self,
        denoiser: DenoiserProtocol,
        space: Parameterisation,
        sides: Sequence[Side],
        *,
        shape: Sequence[int],
        sizes: tuple[int, ...] = (),
        seed: int = 0,
        networks: Mapping[Recipe, Any] = MappingProxyType({}),
        rows: int | None = None,
        shown: Latent | None = None,
    ) -> None:
        if not all(side.entries for side in sides):
            raise MismatchedValues(
                "A prompt that the model is to follow says nothing.",
                remedy="Wire one in; Apply ControlNet gives back only those that it is given.",
            )
        self._sides = sides = _with_shared(sides)
        self._denoiser, self._space, self._shape = denoiser, space, shape
        self._rows, self._shown = rows, shown
        parts = [
            part
            for number, side in enumerate(sides)
            for entry in side.entries
            if (part := _part(entry, number, space, denoiser, shape))
        ]
        self._parts = [*parts, *_counterparts(parts, len(sides))]
        self._gligen = _gligen([part.entry for part in self._parts], networks)
        check_shown(denoiser, [shown, *(part.entry.shown for part in self._parts)], shape)
        self._inputs = self._asked(shape, sizes, seed)
        self._same = _distinct(c for part in self._parts for c in part.entry.controls)
        listed = dict.fromkeys(self._same.values())
        self._active = {control: denoiser.steering(control, shape) for control in listed}
        self._calls: dict[tuple[tuple[int, tuple[Control, ...]], ...], list[_Call]] = {}

    def __call__(self, x: Tensor, σ: Tensor) -> list[Tensor]:
        """The picture without noise that each side sees in x [B,C,h,w] at noise level σ."""
        scaled = x / self._space.input_scale(σ)
        t = self._space.t(σ).to(x.device)
        with self._gligen.placed(self._denoiser.module) if self._gligen else nullcontext():
            return self._answers(x, scaled, t, σ)

    def _answers(self, x: Tensor, scaled: Tensor, t: Tensor, σ: Tensor) -> list[Tensor]:
        answers: list[list[tuple[_Part, Tensor]]] = [[] for _ in self._sides]
        for call in self._calls_at(float(σ)):
            rows = [crop.of(scaled) if crop else scaled for crop, _ in call.rows]
            outputs = self._network(torch.cat(rows), t, call).float().chunk(len(rows))
            for (crop, parts), output in zip(call.rows, outputs, strict=True):
                D = self._space.denoised(crop.of(x) if crop else x, output, σ)
                for part in parts:
                    answers[part.side].append((part, D))
        return [_mean(x, answer) for answer in answers]

    def _asked(
        self, shape: Sequence[int], sizes: tuple[float, ...], seed: int
    ) -> list[dict[str, Tensor]]:
        """What the network is told for each part, by name, a row a picture."""
        batch = shape[0]
        entries, there = [part.entry for part in self._parts], self._denoiser.device
        contexts = [_rows_of(entry.context, batch, there) for entry in entries]
        if len(contexts) > 1 and self._denoiser.family.repeats:
            contexts = _same_length(contexts, [entry.padding for entry in entries])
        plain = [
            self._denoiser.family.plain_sizes(sizes, negative=side.negative) for side in self._sides
        ]
        return [
            {
                "context": context,
                **_beside(part.entry, context, self._denoiser, batch, plain[part.side], seed),
                **self._places(part, shape),
                **self._pictures(part),
            }
            for part, context in zip(self._parts, contexts, strict=True)
        ]

    def _places(self, part: _Part, shape: Sequence[int]) -> dict[str, Tensor]:
        """The tokens of what GLIGEN places, as it lies on the part's crop."""
        boxes, downscale = part.entry.boxes, self._denoiser.family.downscale
        if not boxes or self._gligen is None:
            return {}
        top, left, height, width = part.crop or Crop(0, 0, shape[-2], shape[-1])
        edges = []
        for box in boxes:
            sides = (box.area.x, box.area.y, box.area.width, box.area.height)
            x, y, w, h = (int(side) // downscale for side in sides)
            edges.append([x - left, y - top, x - left + w, y - top + h])
        shares = torch.tensor(edges) / torch.tensor([width, height, width, height])
        # Of a result that was kept, words lie on the CPU, those of a new one where the encoder is.
        words = torch.cat([box.words.to(self._denoiser.device) for box in boxes])
        tokens = self._gligen.tokens(words, shares)
        return {"places": tokens.float().expand(shape[0], -1, -1)}

    def _pictures(self, part: _Part) -> dict[str, Tensor]:
        """What the network is shown for a part, by name: beside x, and to refer to."""
        told: dict[str, Tensor] = {}
        shown = beside(self._denoiser, part.entry.shown or self._shown, self._shape)
        if shown is not None:
            told[SHOWN] = part.crop.of(shown) if part.crop else shown
        family, (batch, channels, *_) = self._denoiser.family, self._shape
        if family.refers and self._denoiser.in_channels == channels:
            for number, reference in enumerate(part.entry.references):
                values = (reference.values - family.shift) * family.scaling_factor
                told[f"{REFERENCE}{number}"] = _rows_of(values, batch, self._denoiser.device)
        return told

    def _calls_at(self, σ: float) -> list[_Call]:
        active = tuple(
            (i, self._steered(part.entry.controls, σ))
            for i, part in enumerate(self._parts)
            if part.holds_at(σ)
        )
        if active not in self._calls:
            self._calls[active] = list(self._grouped(active))
        return self._calls[active]

    def _steered(self, controls: Sequence[Control], σ: float) -> tuple[Control, ...]:
        """Those that steer at this noise level."""
        at = self._space.sigma_at
        active = (c for c in controls if c.strength and at(c.end) <= σ <= at(c.start))
        return tuple(self._same[control] for control in active)

    def _grouped(self, active: Sequence[tuple[int, tuple[Control, ...]]]) -> Iterator[_Call]:
        groups: dict[Any, list[list[int]]] = {}
        for i, controls in active:
            crop, mode = self._parts[i].crop, self._sides[self._parts[i].side].mode
            shapes = tuple((name, value.shape) for name, value in self._inputs[i].items())
            place = crop if controls else crop and crop[2:]
            rows = groups.setdefault((place, mode, shapes, controls), [])
            # A plain pair is two rows even where they are equal, as it always was.
            same = [row for row in rows if self._equal(row[0], i)] if len(self._parts) > 2 else []
            if same:
                same[0].append(i)
            else:
                rows.append([i])
        for (_, mode, _, controls), rows in groups.items():
            answering = [tuple(self._parts[i] for i in row) for row in rows]
            inputs = [self._inputs[row[0]] for row in rows]
            yield _Call(
                tuple((parts[0].crop, parts) for parts in answering),
                {name: torch.cat([told[name] for told in inputs]) for name in inputs[0]},
                mode,
                controls,
            )

    def _equal(self, i: int, j: int) -> bool:
        """Whether the network would be asked the same for both parts."""
        ours, theirs = self._inputs[i], self._inputs[j]
        return self._parts[i].crop == self._parts[j].crop and all(
            ours[name] is theirs[name] or torch.equal(ours[name], theirs[name]) for name in ours
        )

    def _network(self, x: Tensor, t: Tensor, call: _Call) -> Tensor:
        """One call of the network, or several of at most `rows` rows."""
        count, t = len(x), t.expand(len(x))
        if SHOWN in call.inputs:
            x = torch.cat([x, call.inputs[SHOWN]], dim=1)
        rows = self._rows or count
        mode = {} if call.mode is None else {"mode": call.mode}
        pictures = [n % self._shape[0] for n in range(count)]

        def controls(part: slice) -> dict[str, Any]:
            crop = call.rows[0][0]
            active = [self._active[control] for control in call.controls]
            return {"controls": [c.at(crop, pictures[part]) for c in active]} if active else {}

        parts = [slice(i, i + rows) for i in range(0, count, rows)]
        return torch.cat(
            [
                self._denoiser(
                    x[part], t[part], **_told(call.inputs, part), **mode, **controls(part)
                )
                for part in parts
            ]
        )


def _gligen(entries: Sequence[Entry], networks: Mapping[Recipe, Any]) -> Any:
    """The network that places what the entries say; None where they place nothing."""
    named = {box.gligen for entry in entries for box in entry.boxes}
    if len(named) > 1:
        raise MismatchedValues(
            "Texts are placed by two GLIGEN models, and a model has room for one.",
            remedy="Place all of them by the same one.",
            socket="positive",
        )
    return networks[named.pop()] if named else None


def _distinct(controls: Iterable[Control]) -> dict[Control, Control]:
    """Each with the first that says the same: those of two prompts may have been copied."""
    first: dict[Control, Control] = {}
    for control in controls:
        others = (other for other in first.values() if _says_the_same(control, other))
        first[control] = next(others, control)
    return first


def _says_the_same(one: Control, other: Control) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in fields(Control)]
    return all(
        a is b or (torch.equal(a, b.to(a.device)) if isinstance(b, Tensor) else False)
        if isinstance(a, Tensor)
        else a == b
        for a, b in pairs
    )


def _with_shared(sides: Sequence[Side]) -> list[Side]:
    """Sides in which nothing is steered are so by what another one shares, where they speak of all
    of the picture."""

    def of(side: Side) -> list[Entry]:
        return [entry for entry in side.entries if entry.area is None]

    shared = [
        entry.controls
        for side in sides
        for entry in of(side)
        if any(control.shared for control in entry.controls)
    ]
    if not shared:
        return list(sides)
    return [
        side
        if any(entry.controls for entry in of(side))
        else replace(
            side,
            entries=tuple(
                entry if entry.area else replace(entry, controls=shared[-1])
                for entry in side.entries
            ),
        )
        for side in sides
    ]


def _told(inputs: Mapping[str, Tensor], part: slice) -> dict[str, Any]:
    """What the network is told for some rows, by the names of its arguments."""
    told: dict[str, Any] = {
        name: value[part]
        for name, value in inputs.items()
        if name != SHOWN and not name.startswith(REFERENCE)
    }
    # They were made in order.
    references = [value[part] for name, value in inputs.items() if name.startswith(REFERENCE)]
    return {**told, "references": references} if references else told


def check_areas(
    entries: Sequence[Entry], cells: tuple[int, int], downscale: int, socket: str
) -> None:
    """Raise MismatchedValues for an area outside a latent of (h, w) cells."""
    for entry in entries:
        try:
            for area in (entry.area, *(box.area for box in entry.boxes)):
                _ = area and crop_of(area, cells, downscale)
        except MismatchedValues as error:
            error.socket = socket
            raise


def crop_of(area: Area, cells: tuple[int, int], downscale: int) -> Crop:
    """Where an area lies on a latent of (h, w) cells of `downscale` pixels, cut at its borders.

    Raises MismatchedValues for one that lies outside.
    """
    h, w = cells
    if area.relative:
        height, width = max(1, round(area.height * h)), max(1, round(area.width * w))
        top, left = round(area.y * h), round(area.x * w)
    else:
        sides = (area.height, area.width, area.y, area.x)
        height, width, top, left = (int(side) // downscale for side in sides)
    crop = Crop(top, left, min(height, h - top), min(width, w - left))
    if crop.height < 1 or crop.width < 1:
        raise MismatchedValues(
            f"An area of the prompt lies outside the picture, which is {w * downscale} ×"
            f" {h * downscale} pixels.",
            remedy="Move it into the picture, or make the picture larger.",
        )
    return crop


def area_weight(crop: Crop, cells: tuple[int, int]) -> Tensor:
    """How much an area counts at its cells, float64 [h,w]: 1, and less towards each of its borders
    that is not one of the latent of (h, w) cells, over min(8, a quarter of the side) cells."""
    (h, w), (top, left, height, width) = cells, crop
    rows = _ramps(height, top > 0, top + height < h)
    columns = _ramps(width, left > 0, left + width < w)
    return rows[:, None] * columns


def _ramps(length: int, before: bool, after: bool) -> Tensor:
    weight, r = torch.ones(length, dtype=torch.float64), min(_RAMP, length // 4)
    ramp = torch.arange(1, r + 1, dtype=torch.float64) / max(r, 1)
    if before:
        weight[:r] *= ramp
    if after:
        weight[length - r :] *= ramp.flip(0)
    return weight


def _part(
    entry: Entry,
    side: int,
    space: Parameterisation,
    denoiser: DenoiserProtocol,
    shape: Sequence[int],
) -> _Part | None:
    """An entry on its part of the latent; None for one that counts nowhere."""
    for name, value in (
        ("strength", entry.strength),
        ("strength at its mask", entry.mask_strength),
    ):
        if not 0 <= value < math.inf:
            raise MismatchedValues(
                f"A prompt has a {name} of {value:g}, and what prompts say is weighed by it.",
                remedy="Choose 0 or more; what shall not be in the picture is a negative prompt's.",
            )
    h, w = shape[-2:]
    crop = crop_of(entry.area, (h, w), denoiser.family.downscale) if entry.area else None
    weight: Tensor | None = None
    if entry.mask is not None:
        mask = mask_of_latent(entry.mask, shape).to(denoiser.device) * entry.mask_strength
        if entry.within_mask:
            if not mask.any():
                return None
            crop = _around(mask, (h, w))
        weight = (crop.of(mask) if crop else mask) * entry.strength
    elif crop:
        ramps = area_weight(crop, (h, w)).float().to(denoiser.device)
        weight = (ramps * entry.strength)[None, None]
    elif entry.strength != 1:
        weight = torch.full((1, 1, h, w), entry.strength, device=denoiser.device)
    if weight is not None and not weight.any():
        return None
    if crop == Crop(0, 0, h, w):
        crop = None
    first, last = space.sigma_at(entry.start), space.sigma_at(entry.end)
    return _Part(side, entry, crop, weight, first, last)


def _around(mask: Tensor, cells: tuple[int, int]) -> Crop:
    """The crop around all that is not 0 of a mask [B,1,h,w], at least 8 cells a side where it does
    not end at the border."""
    there = mask.abs().amax(dim=(0, 1)) > 0
    rows, columns = (torch.nonzero(there.any(dim=dim))[:, 0] for dim in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    height = max(_LEAST_SIDE, int(rows[-1]) + 1 - top)
    width = max(_LEAST_SIDE, int(columns[-1]) + 1 - left)
    return Crop(top, left, min(height, cells[0] - top), min(width, cells[1] - left))


def _counterparts(parts: Sequence[_Part], sides: int) -> Iterator[_Part]:
    """For each area of one side that another does not have, what the other says of that area: the
    words of its smallest part around it, else those of one that is everywhere."""
    there = [[part for part in parts if part.side == side] for side in range(sides)]
    for one in reversed(range(sides)):
        for part in list(there[one]):
            for other in range(sides):
                if part.crop is None or other == one:
                    continue
                around = [p for p in there[other] if p.crop is None or p.crop.holds(part.crop)]
                if not around:
                    continue
                words = min(around, key=_cells)
                if words.crop == part.crop:
                    continue
                entry = replace(
                    words.entry,
                    area=part.entry.area,
                    mask=part.entry.mask,
                    mask_strength=part.entry.mask_strength,
                    within_mask=part.entry.within_mask,
                    strength=part.entry.strength,
                )
                made = replace(part, side=other, entry=entry)
                there[other].append(made)
                yield made


def _cells(part: _Part) -> float:
    return part.crop.height * part.crop.width if part.crop else math.inf


def _mean(x: Tensor, answers: Sequence[tuple[_Part, Tensor]]) -> Tensor:
    """Σ m·D / Σ m at each cell."""
    if len(answers) == 1 and answers[0][0].whole:
        return answers[0][1]
    total, weights = torch.zeros_like(x), torch.full_like(x, _NOTHING)
    for part, D in answers:
        m = torch.ones_like(D) if part.weight is None else part.weight
        for sum, share in ((total, m * D), (weights, m)):
            there = part.crop.of(sum) if part.crop else sum
            there += share
    return total / weights


def mask_of_latent(mask: Tensor, shape: Sequence[int]) -> Tensor:
    """A mask [1 or B,1,H,W] of pixels as [B,1,h,w], for each cell of a latent of `shape`."""
    batch, _, *cells = shape
    if len(mask) not in (1, batch):
        raise MismatchedValues(
            f"{len(mask)} masks cannot apply to {batch} latents.",
            remedy="Use one mask for all latents, or one for each.",
        )
    mask = interpolate(mask.float(), size=tuple(cells), mode="bilinear")
    return mask.expand(batch, -1, -1, -1)


def _beside(
    entry: Entry,
    context: Tensor,
    denoiser: DenoiserProtocol,
    batch: int,
    sizes: tuple[float, ...],
    seed: int,
) -> dict[str, Tensor]:
    """What the network is told beside the states of the prompt, by name, a row a picture."""
    told: dict[str, Tensor] = {}
    if entry.pooled is not None:
        told["pooled"] = entry.pooled
        if denoiser.family.sized:
            told["sizes"] = torch.tensor([entry.sizes or sizes])
    if denoiser.guided and entry.guided:
        chosen = denoiser.family.guidance if entry.guidance is None else entry.guidance
        told["guidance"] = torch.tensor([chosen])
    told |= unclip.inputs(entry, denoiser, seed)
    if entry.bias is not None:
        told["bias"] = pad(entry.bias, (0, context.shape[1] - entry.bias.shape[1]))
    return {name: _rows_of(value, batch, denoiser.device) for name, value in told.items()}


def _rows_of(tensor: Tensor, batch: int, device: torch.device) -> Tensor:
    """One row for each picture."""
    if len(tensor) not in (1, batch):
        raise MismatchedValues(
            f"A prompt for {len(tensor)} pictures cannot guide {batch}.",
            remedy="Use one prompt for all pictures, or one for each.",
        )
    return tensor.to(device, torch.float32).expand(batch, *tensor.shape[1:])


def _same_length(contexts: list[Tensor], paddings: Sequence[Tensor | None]) -> list[Tensor]:
    """Lengthen prompts to the same number of tokens, so that they go in one call.

    With the empty chunk where the dialect has one, as A1111 does; else by repeating all tokens,
    which changes no attention. Prompts that would repeat too often stay as they are.
    """
    lengths = [context.shape[1] for context in contexts]
    longest = max(lengths)
    padded = [
        _padded(context, padding, longest - n)
        for context, padding, n in zip(contexts, paddings, lengths, strict=True)
    ]
    if all(context is not None for context in padded):
        return [context for context in padded if context is not None]
    common = math.lcm(*lengths)
    if common > _MOST_REPEATS * min(lengths):
        return contexts
    return [c.repeat(1, common // n, 1) for c, n in zip(contexts, lengths, strict=True)]


def _padded(context: Tensor, padding: Tensor | None, missing: int) -> Tensor | None:
    """With empty chunks after it; None where none are there that fit."""
    if not missing:
        return context
    if padding is None or missing % padding.shape[1]:
        return None
    chunks = padding.to(context).expand(len(context), -1, -1)
    return torch.cat([context, *[chunks] * (missing // padding.shape[1])], dim=1)
