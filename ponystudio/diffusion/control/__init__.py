"""What steers a denoiser by a picture: ControlNets (Zhang et al. 2023) and T2I-adapters (Mou et al.
2023), a module for each kind of network, all of them diffusers' own. `control_network.py` is what
the others know of them. One more kind is a `ControlArchitecture` in such a module, and a branch of
`control_architecture`. May import `architectures`, `weights` and `families`, and loads no torch by
itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import DenoiserInputs, Residuals
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.errors import ParamChoice
from ponystudio.library.recognition.control_signatures import ControlSignature
from ponystudio.library.recognition.model_file import ModelFile

if TYPE_CHECKING:
    from torch import Tensor, nn

# What pictures show, as the makers of unions number it: xinsir, and InstantX with Shakker Labs.
UNION_KINDS = {
    "sdxl": (
        *("openpose", "depth", "scribble", "canny"),
        *("normal", "segment", "tile", "repaint"),
    ),
    "flux": ("canny", "tile", "depth", "blur", "openpose", "grey", "low quality"),
}
# What says in the metadata of a file what it is or was made for.
NAMES = ("modelspec.title", "ss_sd_model_name", "ss_base_model_version")
KINDS = tuple(dict.fromkeys(kind for kinds in UNION_KINDS.values() for kind in kinds))
Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]
# What was read of a picture: one tensor, or the features at each level.
Hint = tuple["Tensor", ...]


@dataclass(frozen=True)
class ControlArchitecture:
    """How a network that steers is found in a file, described, built and asked.

    `naming` of the stored names; `base`: our names of the model that it was taken from, where it
    has not all of its layers. `config`: the arguments of `build`, read off shapes under our names,
    and hints. `read`: module and picture [B,C,H,W] (a latent where it reads such) → hint. `call`:
    module, x [B,C,h,w], t [B], what the denoiser is told, hint, the number of the picture's kind
    (None: not told) and the denoiser's module → what is added in that. `fits`: whether the module
    steers the denoiser's, by their widths. `grain`: the sides of the picture are multiples of it.
    """

    naming: Callable[[Iterable[str], Iterable[str]], Naming]
    config: Callable[[Shapes, Family, Hints], dict[str, Any]]
    build: Callable[[dict[str, Any]], nn.Module]
    read: Callable[[Any, Tensor], Hint]
    call: Callable[[Any, Tensor, Tensor, DenoiserInputs, Hint, int | None, Any], Residuals]
    fits: Callable[[Any, Any], bool]
    grain: Callable[[Any], int] = lambda _: 1


def same_width(module: Any, base: Any) -> bool:
    """Whether the blocks of two transformers are as wide."""
    return bool(module.inner_dim == base.inner_dim)


def notes(model: ModelFile, net: ModelFile) -> Iterator[str]:
    """What is known not to go together though its shapes fit: Pony Diffusion V6 and its kin went so
    far from SDXL that what steers SDXL makes noise of their pictures, and only names tell."""
    of_model, of_net = (
        " ".join((file.path.stem, *(file.metadata.get(name, "") for name in NAMES))).lower()
        for file in (model, net)
    )
    if model.family == "sdxl" and "pony" in of_model and "pony" not in of_net:
        yield (
            f"{net.path.name} was hardly made for Pony Diffusion V6 and its kin, whose weights are"
            " far from SDXL's: where the picture becomes noise, lower the strength, or let it end"
            " at half of the run."
        )


def number_of(kind: str, control: ControlSignature) -> int | None:
    """Of a kind of pictures, as the network is told it; None for "auto", and for a network that is
    made for one kind alone. Raises ParamChoice for a kind that a union does not know."""
    known = UNION_KINDS.get(control.family, ())[: control.kinds]
    if kind == "auto" or not known:
        return None
    if kind not in known:
        raise ParamChoice(
            f"This ControlNet does not know pictures of the kind {kind!r}.",
            remedy=f"Choose one of: {', '.join(('auto', *known))}.",
            socket="kind",
        )
    return known.index(kind)


def control_architecture(names: Collection[str]) -> ControlArchitecture:
    """Of the network whose tensors have these names, stored ones or ours."""

    def has(end: str) -> bool:
        return any(name.endswith(end) for name in names)

    if has("controlnet_x_embedder.weight") or has("pos_embed_input.weight"):
        module = "flux_control"
    elif has("pos_embed_input.proj.weight"):
        module = "sd3_control"
    elif has("input_hint_block.0.weight") or has("controlnet_cond_embedding.conv_in.weight"):
        module = "unet_control"
    else:
        module = "t2i_adapter"
    found: ControlArchitecture = importlib.import_module(f"{__name__}.{module}").CONTROL
    return found
