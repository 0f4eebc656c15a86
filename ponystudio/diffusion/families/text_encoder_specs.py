"""The text encoders that families are built with: what each is called, how wide it is, and how it
is read. Torch-free.
"""

from __future__ import annotations

from dataclasses import dataclass

START, END = 49406, 49407


@dataclass(frozen=True)
class TextEncoderSpec:
    """One text encoder.

    `name`: under which files keep vectors for it ("clip_l"), and ours its tensors; `noun` for
    people. `width`: of its states. `pad`: the token behind the end. `optional`: its model also
    works without it.
    """

    name: str
    noun: str
    width: int
    pad: int
    optional: bool = False


@dataclass(frozen=True)
class ClipEncoderSpec(TextEncoderSpec):
    """One of CLIP's.

    `activation`: "quick_gelu" in OpenAI's CLIP, "gelu" in the larger ones of open_clip. `normed`:
    the denoiser reads its states behind the last norm. `pooled`: it also gives one vector for the
    whole prompt, the normed state at the END; `projected`: that one through a projection;
    `may_lack`: which only folders of diffusers' have for it, by default one that changes nothing.
    `whole`: its number of layers as trained; some files leave the last one out, as unused.
    """

    activation: str = "gelu"
    pad: int = END
    normed: bool = True
    pooled: bool = False
    projected: bool = False
    may_lack: bool = False
    whole: int = 0


@dataclass(frozen=True)
class T5EncoderSpec(TextEncoderSpec):
    """An encoder of the T5 kind (Raffel et al. 2020), which reads a prompt of any length at once.

    `end`: the token at the end. `least`: shorter prompts are padded to so many tokens. `masked`:
    the padding is not seen, and its states are zeros. `biased`: every layer has a table of its own
    for the distances of tokens (UMT5), not the first alone. `pieces`: the tokenizer that ships with
    PonyStudio; "" where its licence keeps it with the models.
    """

    pad: int = 0
    end: int = 1
    least: int = 256
    masked: bool = False
    biased: bool = False
    pieces: str = ""


CLIP_L = ClipEncoderSpec("clip_l", "CLIP-L", 768, activation="quick_gelu", whole=12)
CLIP_H = ClipEncoderSpec("clip_h", "OpenCLIP-H", 1024, pad=0, whole=24)
CLIP_G = ClipEncoderSpec(
    "clip_g", "OpenCLIP-bigG", 1280, pad=0, pooled=True, projected=True, whole=32
)
T5_XXL = T5EncoderSpec("t5xxl", "T5-XXL", 4096, pieces="t5")
PILE_T5_XL = T5EncoderSpec("pile_t5xl", "Pile-T5-XL", 2048, pad=1, end=2, masked=True, biased=True)
TOWERS = (CLIP_L, CLIP_H, CLIP_G, T5_XXL, PILE_T5_XL)
