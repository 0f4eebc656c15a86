"""How a picture was made, in our words, whichever program wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

MOST_SCALE = 100.0
_NONE: Mapping[str, str] = MappingProxyType({})


def _none() -> Mapping[str, str]:
    return _NONE


@dataclass(frozen=True)
class UsedModel:
    """A model file by what a text says of it.

    `name` is as it stands there, often without folder and suffix; `hash` is hexadecimal and as long
    as the writer made it: 10 letters are the start of the SHA-256 of the file (AutoV2), of LoRAs 12
    the start of that of its tensors alone (AutoV3); a BLAKE3 has "blake3:" before it. Either may be
    "". `url`: where it can be had.
    """

    name: str = ""
    hash: str = ""
    url: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.hash)


@dataclass(frozen=True)
class UsedLora:
    """A LoRA, and how strongly it acts on the model and on the text encoder."""

    name: str
    strength: float = 1.0
    clip_strength: float = 1.0
    hash: str = ""
    url: str = ""


@dataclass(frozen=True)
class SecondPass:
    """A picture that was made larger and then sampled again.

    Its size is `width` × `height` px, of which one that is 0 follows from the first pass, or
    `scale` times that of the first pass where both are.
    `space` says what is scaled: the latent, by `method`, or the picture, by the model `upscaler`
    if there is one, and by `method` to the very size. What is 0, "" or None is as in the first
    pass.
    """

    scale: float = 0.0
    width: int = 0
    height: int = 0
    space: Literal["latent", "picture"] = "latent"
    method: str = "bilinear"
    upscaler: UsedModel = UsedModel()
    denoise: float = 0.7
    steps: int = 0
    sampler: str = ""
    scheduler: str = ""
    cfg: float | None = None
    seed: int | None = None
    model: UsedModel = UsedModel()
    prompt: str | None = None
    negative: str | None = None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """In px, after a first pass of that size."""
        if self.width or self.height:
            return (
                self.width or self.height * width // max(height, 1),
                self.height or self.width * height // max(width, 1),
            )
        scale = min(self.scale or 1.0, MOST_SCALE)
        return int(width * scale), int(height * scale)


@dataclass(frozen=True)
class Refiner:
    """A second model that takes over after this fraction of the steps."""

    model: UsedModel
    switch_at: float = 0.8


@dataclass(frozen=True)
class Source:
    """The picture that another one was made from; `file` is "" where the text does not name it.

    `denoise` is how much of it is sampled anew, 0 to 1. `counted`: how the steps are meant: all
    of them are done ("done"), or that share of them ("share"). `crop`: what is too much of it at
    two sides is cut off, and not squeezed. `masked`: only what is under a mask was repainted, or
    with `inverted` only the rest; the mask was blurred by `mask_blur` px.
    """

    file: str = ""
    denoise: float = 0.75
    counted: Literal["share", "done"] = "share"
    crop: bool = False
    masked: bool = False
    mask: str = ""
    mask_blur: float = 0.0
    inverted: bool = False


@dataclass(frozen=True)
class RuleDetails:
    """What settings of A1111's change of its rules.

    `scaled_start`: the run begins at x = noise·√(1+σ²), as in ComfyUI. `quantized`: times are whole
    steps of the training. `half_alphas`: ᾱ are rounded to half precision, as old versions did.
    `zero_snr`: the training's noise ends without signal. `discard`: the last level but one is left
    out. `sigma_min`, `sigma_max` and `rho` are those of the schedule, 0 for its own.
    """

    scaled_start: bool = False
    quantized: bool = False
    half_alphas: bool = False
    zero_snr: bool = False
    discard: bool = False
    sigma_min: float = 0.0
    sigma_max: float = 0.0
    rho: float = 0.0


@dataclass(frozen=True)
class GenerationParams:
    """All that is known of how a picture was made; what is not known is as it is here.

    `program` and `version` are the writer's, for what people read. `sampler` and `scheduler` are
    names of ours; "auto" is the schedule that suits the model. `clip_skip` counts layers from the
    last one as ours do; 0 is the model's own. `text_encoders` are set where the model has none in
    it. `guidance` is what FLUX is told, `rescale` the share of rescaled guidance, `shift` that of
    models that predict flow.

    `rules`: whose order of drawing noise and counting steps it is, with `details` of A1111's;
    `noise`: where that was drawn. `threads` of an NVIDIA card: 0 for one an element, however many;
    None for those of a card that the text does not name. `variation` is the share of the noise of
    `variation_seed`; `resize_from` the size at which noise was drawn, to be pasted into the middle;
    `seed_offset` is added to the seed for noise between steps (ENSD); `eta` and `s_noise` are the
    sampler's.

    `embeddings` are hashes by name; `other` holds, as they stand, the fields that say nothing of
    what is made. `remarks`: a line each for what cannot be matched.
    """

    program: str = ""
    version: str = ""
    prompt: str = ""
    negative: str = ""
    dialect: Literal["a1111", "comfyui"] = "a1111"
    model: UsedModel = UsedModel()
    text_encoders: tuple[UsedModel, ...] = ()
    family: str = ""
    vae: UsedModel = UsedModel()
    loras: tuple[UsedLora, ...] = ()
    hypernetworks: tuple[UsedLora, ...] = ()
    embeddings: Mapping[str, str] = field(default_factory=_none)
    prediction: str = "auto"
    sampler: str = "euler"
    scheduler: str = "auto"
    eta: float | None = None
    s_noise: float | None = None
    steps: int = 20
    cfg: float = 7.0
    guidance: float | None = None
    rescale: float = 0.0
    shift: float | None = None
    clip_skip: int = 0
    seed: int = 0
    variation_seed: int = 0
    variation: float = 0.0
    resize_from: tuple[int, int] = (0, 0)
    seed_offset: int = 0
    rules: Literal["comfyui", "a1111"] = "comfyui"
    noise: Literal["cpu", "gpu", "nvidia"] = "cpu"
    threads: int | None = 0
    details: RuleDetails = RuleDetails()
    width: int = 512
    height: int = 512
    batch: int = 1
    batch_index: int = 0
    source: Source | None = None
    hires: SecondPass | None = None
    refiner: Refiner | None = None
    other: Mapping[str, str] = field(default_factory=_none)
    remarks: tuple[str, ...] = ()
