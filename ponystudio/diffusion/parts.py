"""The parts of a model: how each is found in a file, described, built and wrapped.

Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion import config, names
from ponystudio.diffusion.architectures import architecture
from ponystudio.diffusion.families import Family, tower_prefix
from ponystudio.diffusion.naming import Naming
from ponystudio.diffusion.predictions import PREDICTIONS
from ponystudio.errors import WrongKind

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.diffusion.network import Network
    from ponystudio.diffusion.weights import Weights
    from ponystudio.library.recognise import ModelFile
    from ponystudio.library.tensors import TensorInfo

Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]
Tensors = Mapping[str, "TensorInfo"]


@dataclass(frozen=True)
class Part:
    """How one part of a model is found in a file, described, built and wrapped.

    `naming`: where its tensors stand among those of a file. `node` opens a file of it alone.
    `components` are diffusers' names for what it is made of, and the keys of their hints in
    `ponystudio.config`; `config` gets the hints by component. `fits`: whether shapes under our
    names are those of a family.
    """

    noun: str
    node: str
    components: tuple[str, ...]
    naming: Callable[[Tensors, Family], Naming]
    fits: Callable[[Shapes, Family], bool]
    config: Callable[[Shapes, Family, Mapping[str, Hints]], dict[str, Any]]
    build: Callable[[dict[str, Any], Family], nn.Module]
    wrap: Callable[[Any, Family, Weights, ModelFile, Mapping[str, Any]], Network[Any]]

    @property
    def elsewhere(self) -> str:
        """What to do where a file has none."""
        return f"Take the {self.noun} from another file, with the node {self.node}."


def _denoiser_naming(tensors: Tensors, kin: Family) -> Naming:
    return architecture(kin.architecture).naming(tensors)


def _denoiser_config(shapes: Shapes, kin: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    how = architecture(kin.architecture)
    return how.config(shapes, kin, hints[how.component])


def _build_denoiser(arguments: dict[str, Any], kin: Family) -> nn.Module:
    return architecture(kin.architecture).build(arguments)


def _denoiser(
    module: Any, kin: Family, weights: Weights, info: ModelFile, options: Mapping[str, Any]
) -> Network[Any]:
    from ponystudio.diffusion.denoiser import Denoiser

    said = info.config.get(architecture(kin.architecture).component)
    rgb = config.rgb(kin, said) if isinstance(said, dict) else None
    said_by_user = PREDICTIONS.get(options.get("prediction", ""))
    prediction, zsnr = said_by_user or (info.prediction, info.zsnr)
    return Denoiser(module, kin, weights, prediction=prediction, zsnr=zsnr, rgb=rgb)


def _vae_naming(tensors: Tensors, _: Family) -> Naming:
    return Naming(names.vae(tensors))


def _vae_fits(shapes: Shapes, kin: Family) -> bool:
    return shapes.get(names.VAE_ROOT, ())[1:2] == (kin.latent_channels,)


def _vae_config(shapes: Shapes, kin: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    return config.vae(shapes, kin, hints["vae"])


def _build_vae(arguments: dict[str, Any], _: Family) -> nn.Module:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL(**arguments)


def _autoencoder(
    module: Any, kin: Family, weights: Weights, _info: ModelFile, _options: Mapping[str, Any]
) -> Network[Any]:
    from ponystudio.diffusion.vae import Autoencoder

    return Autoencoder(module, kin, weights)


def _text_naming(tensors: Tensors, kin: Family) -> Naming:
    """Those of every tower, under the tower's name where there are several."""
    found = [(tower, names.text(tensors, tower)) for tower in kin.towers]
    shared = set.intersection(*(set(part.values()) for _, part in found))
    if len(found) > 1 and shared:  # one encoder alone, whose names would do for any of them
        roots = (tensors[key].shape for key in shared if key.endswith(names.OPEN_CLIP_ROOT))
        width = max((shape[-1] for shape in roots if shape), default=0)
        found = [min(found, key=lambda item: abs(item[0].width - width))]
    names_of_all = {
        tower_prefix(kin, tower) + name: key for tower, part in found for name, key in part.items()
    }
    return Naming(names_of_all, names.cuts(names_of_all))


def _text_fits(shapes: Shapes, kin: Family) -> bool:
    return all(
        _inside(shapes, tower_prefix(kin, tower)).get(names.TEXT_ROOT, ())[1:2] == (tower.width,)
        for tower in kin.towers
    )


def _text_config(shapes: Shapes, kin: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    """The arguments of each tower, by its name."""
    arguments = {}
    for tower, component in zip(kin.towers, PARTS["clip"].components, strict=False):
        inside = _inside(shapes, tower_prefix(kin, tower))
        if not inside:
            raise WrongKind(
                f"There is no {tower.noun} in this file, and {kin.title} reads it.",
                remedy=PARTS["clip"].elsewhere,
            )
        arguments[tower.name] = config.text(inside, tower, hints[component])
    return arguments


def _inside(shapes: Shapes, prefix: str) -> Shapes:
    """What stands under a tower's prefix, under the names of a bare text encoder."""
    return {
        name.removeprefix(prefix).removeprefix("text_model."): shape
        for name, shape in shapes.items()
        if name.startswith(prefix)
    }


def _build_text(arguments: dict[str, Any], _: Family) -> nn.Module:
    from torch import nn

    towers = {name: _build_tower(how) for name, how in arguments.items()}
    return next(iter(towers.values())) if len(towers) == 1 else nn.ModuleDict(towers)


def _build_tower(how: dict[str, Any]) -> nn.Module:
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

    arguments = dict(how)
    projected = arguments.pop("projected")
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(
        CLIPTextConfig(**arguments)
    )


def _text_encoder(
    module: Any, kin: Family, weights: Weights, _info: ModelFile, _options: Mapping[str, Any]
) -> Network[Any]:
    import torch

    from ponystudio.diffusion.text import TextEncoder

    for inside in module.modules():
        # The only buffers, and not stored: the numbers of the positions.
        if hasattr(inside, "position_ids"):
            place = inside.position_embedding.weight
            inside.position_ids = torch.arange(len(place), device=place.device)[None]
    return TextEncoder(module, kin, weights)


PARTS = {
    "model": Part(
        "denoiser",
        "Load model (core.load_model)",
        ("unet", "transformer"),
        _denoiser_naming,
        lambda *_: False,  # a denoiser's family is told by its file
        _denoiser_config,
        _build_denoiser,
        _denoiser,
    ),
    "clip": Part(
        "text encoder",
        "Load text encoder (core.load_clip)",
        ("text_encoder", "text_encoder_2", "text_encoder_3"),
        _text_naming,
        _text_fits,
        _text_config,
        _build_text,
        _text_encoder,
    ),
    "vae": Part(
        "autoencoder",
        "Load VAE (core.load_vae)",
        ("vae",),
        _vae_naming,
        _vae_fits,
        _vae_config,
        _build_vae,
        _autoencoder,
    ),
}
