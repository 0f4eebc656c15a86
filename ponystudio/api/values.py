"""The values that travel along wires.

Pictures, latents, conditionings and what is seen in pictures hold tensors; Model, Clip, Vae,
Upscaler, Vision, StyleModel and Gligen are *recipes*: a weights file plus what is to be done to it,
tiny and hashable. The weights themselves live in the engine's pool and are opened with
`with ctx.models.open(model) as network:`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ponystudio.api.modifiers import Hypernetwork, Modifier

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Image:
    """Pictures. `pixels`: float32 [B,3,H,W] in 0..1, on any device."""

    pixels: Tensor


@dataclass(frozen=True, eq=False)
class Mask:
    """Where something applies. `values`: float32 [B,1,H,W] in 0..1; 1 is "here"."""

    values: Tensor


@dataclass(frozen=True, eq=False)
class Latent:
    """Pictures as an autoencoder sees them.

    `values`: float32 [B,C,h,w] in VAE units, i.e. what the encoder returns, unscaled.
    `family`: whose latent space ("sd1", ...); "" for an empty latent, which fits any family.
    `mask`: [B or 1,1,H,W] in 0..1; where it is 1 the sampler may repaint, None repaints all.
    `shown`: [B or 1,C,h,w], the latent of the picture with a hole at the mask, for models that are
    made for inpainting.
    `batch_index`: for each picture, which of a larger batch it is, whose noise it starts from; None
    where it is all of its batch. `at_once`: how many of them are sampled together; 0 for all.
    """

    values: Tensor
    family: str = ""
    mask: Tensor | None = None
    shown: Tensor | None = None
    batch_index: tuple[int, ...] | None = None
    at_once: int = 0


@dataclass(frozen=True)
class Area:
    """A rectangle of a picture, `x` and `y` its top left corner: in pixels or, where it is
    `relative`, in shares of the picture's sides."""

    x: float
    y: float
    width: float
    height: float
    relative: bool = False


@dataclass(frozen=True, eq=False)
class Pictured:
    """What an image encoder sees in a picture, `embed` [width], as an unCLIP model is told it:
    `strength` times, and with `noise` on it, 0 for none to 1."""

    embed: Tensor
    strength: float = 1.0
    noise: float = 0.0


@dataclass(frozen=True, eq=False)
class PlacedText:
    """Words, as one vector `words` [1,width], for what GLIGEN's layers place in an area."""

    gligen: Gligen
    words: Tensor
    area: Area


@dataclass(frozen=True, eq=False)
class Entry:
    """What is said of a picture, or of a part of it, for a run or a part of it.

    `context`: float32 [1 or B,n,width], of CLIP 77 tokens a chunk.
    `padding`: float32 [1,77,width], the empty chunk that lengthens the shorter of two prompts;
    None where the dialect repeats tokens instead, and for families that read any length.
    `pooled`: float32 [1 or B,width] for the families that have it.
    `sizes`: what SDXL is told of the picture, in pixels: height and width of the original, top and
    left of the cut, height and width of the aim, or for its refiner in their place how beautiful it
    is; None for those of the picture that is made.
    `guidance`: what FLUX dev is told of how closely it shall follow; None for its own. Where it is
    not `guided` it is told nothing of that.
    `area`: the part of the picture that it is about; None for all of it.
    `mask`: [1 or B,1,H,W], how much it counts where; None for 1 everywhere. `mask_strength`: of
    that; `within_mask`: it is about the part of the picture around the mask alone.
    `strength`: how much it counts beside the others of its list.
    `start`, `end`: from which share of a whole run to which it holds, 0..1.
    `unclip`: the pictures that unCLIP models are told.
    `boxes`: what GLIGEN's layers place where, in the picture as a whole.
    `bias` [1,n]: what is added to the attention towards the first n tokens; None for nothing.
    `controls`: pictures by which ControlNets steer the denoiser while it is asked about it.
    `shown`: the picture that models for inpainting or editing are shown beside what they make, the
    former with a hole at its mask. `references`: further pictures, which FLUX.1 Kontext reads.
    """

    context: Tensor
    padding: Tensor | None = None
    pooled: Tensor | None = None
    sizes: tuple[float, ...] | None = None
    guidance: float | None = None
    guided: bool = True
    area: Area | None = None
    mask: Tensor | None = None
    mask_strength: float = 1.0
    within_mask: bool = False
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    unclip: tuple[Pictured, ...] = ()
    boxes: tuple[PlacedText, ...] = ()
    bias: Tensor | None = None
    controls: tuple[Control, ...] = ()
    shown: Latent | None = None
    references: tuple[Latent, ...] = ()

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The networks that are to be open while the denoiser is asked about it."""
        return tuple(box.gligen for box in self.boxes)


@dataclass(frozen=True, eq=False)
class Conditioning:
    """A prompt as the denoiser reads it: entries that together say what the picture shall show.

    Where several speak of the same place, the picture follows their mean by strength.
    """

    entries: tuple[Entry, ...]
    family: str

    def changed(self, **fields: Any) -> Conditioning:
        """The same with these fields of every entry."""
        return replace(self, entries=tuple(replace(entry, **fields) for entry in self.entries))


@dataclass(frozen=True, eq=False)
class VisionOutput:
    """What an image encoder sees in pictures, all float32.

    `embeds` [B,width]: each picture as one vector; None for an encoder that gives none. `hidden`
    [B,n,width]: its last states; `penultimate`: those of the layer before.
    """

    __socket__: ClassVar[str] = "vision_output"

    embeds: Tensor | None
    hidden: Tensor
    penultimate: Tensor


@dataclass(frozen=True)
class Patch:
    """One LoRA-like file at one strength. `content` stands for all its bytes."""

    path: str
    content: str
    strength: float

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        return ((self.path, self.content),)


@dataclass(frozen=True)
class Merge:
    """The weights of another recipe mixed into what a recipe gives so far.

    A the weights so far, B those of `other`, tensor by tensor: "weighted" r·A + (1−r)·B, "add"
    A + r·B, "subtract" r·(A − B), of `hows`. A tensor that `other` lacks stays as it is.
    `ratios` say r: each is the beginning of the names that it holds for, as the original model has
    them ("input_blocks.3.", "" all), what must stand in them ("attn2", "" nothing) and r. Of
    several the one with the most to say counts: that names what must stand in them, then the
    longest beginning, then the last.
    """

    hows: ClassVar[tuple[str, ...]] = ("weighted", "add", "subtract")

    other: Recipe
    how: str
    ratios: tuple[tuple[str, str, float], ...]

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        return self.other.files


@dataclass(frozen=True)
class Recipe:
    """A part of a weights file, with patches, to be opened through `ctx.models`.

    `path` is absolute and serves only to open; identity is `content`, what `ctx.models.content`
    says: two of the same are of the same bytes.
    `options` are (name, value) pairs that change how the part is built, e.g. ("ema", True). One
    that names a further file is followed by ("content", what stands for its bytes).
    `patches` change its weights one after the other.
    """

    part: ClassVar[str]

    path: str
    content: str
    family: str
    patches: tuple[Patch | Merge, ...] = ()
    options: tuple[tuple[str, str | int | float | bool], ...] = ()

    def with_patch(self, patch: Patch | Merge) -> Self:
        return replace(self, patches=(*self.patches, patch))

    def with_file(self, option: str, path: str, content: str) -> Self:
        """Add an option that names a file."""
        return replace(self, options=(*self.options, (option, path), ("content", content)))

    @property
    def own_files(self) -> tuple[tuple[str, str], ...]:
        """Path and content of what the part is in, without the patches."""
        further = (
            (str(path), str(content))
            for (_, path), (name, content) in pairwise(self.options)
            if name == "content"
        )
        return (self.path, self.content), *further

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Path and content of all that it needs."""
        return *self.own_files, *(file for patch in self.patches for file in patch.files)

    @property
    def loras(self) -> Iterator[Patch]:
        """Those that are in it, also by way of what it was merged with."""
        for patch in self.patches:
            if isinstance(patch, Merge):
                yield from patch.other.loras
            else:
                yield patch


@dataclass(frozen=True)
class Model(Recipe):
    """The denoiser. `modifiers`: what changes it while it samples, in the order of the nodes."""

    part = "model"

    modifiers: tuple[Modifier, ...] = ()

    def with_modifier(self, modifier: Modifier) -> Self:
        """With one more, in place of another of its kind; the effects of hypernetworks add up."""
        kept = tuple(
            other
            for other in self.modifiers
            if isinstance(other, Hypernetwork) or type(other) is not type(modifier)
        )
        return replace(self, modifiers=(*kept, modifier))

    @property
    def files(self) -> tuple[tuple[str, str], ...]:
        """Path and content of all that it needs."""
        further = (m for m in self.modifiers if isinstance(m, Hypernetwork))
        return *super().files, *((m.path, m.content) for m in further)


@dataclass(frozen=True)
class Clip(Recipe):
    """The text encoder with its tokenizer."""

    part = "clip"


@dataclass(frozen=True)
class Vae(Recipe):
    """The autoencoder."""

    part = "vae"


@dataclass(frozen=True)
class Upscaler(Recipe):
    """A super-resolution network."""

    part = "upscaler"


@dataclass(frozen=True)
class Vision(Recipe):
    """An image encoder."""

    part = "vision"


@dataclass(frozen=True)
class StyleModel(Recipe):
    """What turns the features of a picture into tokens of a prompt."""

    __socket__: ClassVar[str] = "style_model"
    part = "style_model"


@dataclass(frozen=True)
class AestheticHead(Recipe):
    """A small network that scores pictures by what an image encoder sees in them."""

    __socket__: ClassVar[str] = "aesthetic_head"
    part = "aesthetic_head"


@dataclass(frozen=True)
class Gligen(Recipe):
    """The layers by which a model knows what to place where."""

    part = "gligen"


@dataclass(frozen=True)
class ControlNet(Recipe):
    """What steers a denoiser by a picture: a ControlNet or one of its kin."""

    part = "controlnet"


@dataclass(frozen=True, eq=False)
class Control:
    """A picture by which a ControlNet steers the denoiser.

    `picture`: float32 [B,3,H,W] in 0..1; `mask` [B,1,H,W]: 1 where it has a hole; `vae`: for
    networks that read latents. `kind`: of the picture, for networks that are told it; "auto" for
    not telling. What the network adds counts `strength` times, from the share `start` of a whole
    run to the share `end`. `shared`: it steers the other prompt too, where nothing else does.
    """

    net: ControlNet
    picture: Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    kind: str = "auto"
    vae: Vae | None = None
    mask: Tensor | None = None
    shared: bool = False


@dataclass(frozen=True)
class Sampler:
    """A method of integration, by its name, and (name, value) pairs of its options: those of the
    method that are not as it has them."""

    name: str
    options: tuple[tuple[str, str | int | float], ...] = ()


@dataclass(frozen=True)
class Sigmas:
    """The noise levels of a run, one more than it has steps: falling, to 0 where all noise goes.

    Rising ones lead from a picture to the noise that it would have come from.
    """

    levels: tuple[float, ...]


@dataclass(frozen=True)
class Noise:
    """What a run draws. `seed`: taken modulo 2⁶⁴. `source`: of which generator: "cpu", "gpu", or
    "nvidia", that of CUDA on any device, of a card that runs `threads` at once (0: as many as a
    draw has elements). `variation` in 0..1: how far the first noise is turned towards that of
    `variation_seed`. `resized_from`: width and height in pixels of another picture whose first
    noise is in the middle of this one's; (0, 0) for none. `off`: there is no first noise, and the
    latent has its own in it; `behind` then draws between steps were made before, where noise goes
    on with the generator of the first.
    """

    seed: int
    source: str = "cpu"
    variation_seed: int = 0
    variation: float = 0.0
    off: bool = False
    resized_from: tuple[int, int] = (0, 0)
    threads: int = 0
    behind: int = 0


@dataclass(frozen=True, eq=False)
class Guider:
    """A model, and prompts that guide it by a rule.

    `rule`: "one" prompt without guidance; "cfg" between two; "dual" from the negative one over
    `middle` to the positive one, with `cfg_middle` up to there and `cfg` from there; "nested", with
    `cfg_middle` for what `cfg` gave; "perpendicular" from `middle`, which says nothing, to the
    positive one, and away from what of the negative one does not lie along it, `cfg_middle` times.
    """

    model: Model
    rule: str
    positive: Conditioning
    middle: Conditioning | None = None
    negative: Conditioning | None = None
    cfg: float = 1.0
    cfg_middle: float = 1.0

    @property
    def family(self) -> str:
        return self.model.family

    @property
    def prompts(self) -> tuple[tuple[str, Conditioning], ...]:
        """Those that it has, by their names."""
        named = (
            ("positive", self.positive),
            ("middle", self.middle),
            ("negative", self.negative),
        )
        return tuple((name, prompt) for name, prompt in named if prompt is not None)
