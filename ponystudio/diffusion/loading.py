"""From a model file to a network that runs: offline, strict, and nothing in memory twice.

Importing this loads no torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion import config, names
from ponystudio.diffusion.families import Family, families, family
from ponystudio.errors import DamagedFile, ModelFileError, UnsupportedModel, WrongKind
from ponystudio.library.folder import open_folder
from ponystudio.library.recognise import ModelFile, check_kind
from ponystudio.library.recognise import recognise as read_header
from ponystudio.library.weights import WeightsFile, open_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ponystudio.diffusion.network import Network
    from ponystudio.diffusion.weights import Weights

Options = Iterable[tuple[str, str | int | float | bool]]
Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """How one part of a model is found in a file, described, built and wrapped.

    `component` is diffusers' name for it, and the key of its hints in `ponystudio.config`.
    """

    noun: str
    component: str
    names: Callable[[Iterable[str]], dict[str, str]]
    config: Callable[[Shapes, Family, Hints], dict[str, Any]]
    build: Callable[[dict[str, Any]], nn.Module]
    wrap: Callable[[Any, Family, Weights, ModelFile], Network[Any]]


def recognise(path: Path, kind: str) -> ModelFile:
    """What a model file is, once it is sure to be of a kind ("checkpoints", "vae", "loras", ...).

    Reads headers alone. Raises WrongKind, DamagedFile, UnsafeFile, UnknownModel, UnsupportedModel.
    """
    found = read_header(path)
    check_kind(found, kind)
    return found


def load(
    path: Path,
    part: str,
    *,
    device: torch.device | str,
    dtype: torch.dtype,
    options: Options = (),
    check: Callable[[], None] = lambda: None,
) -> Any:
    """Load one part of a model file or diffusers folder.

    `part` "model" gives a Denoiser, "clip" a TextEncoder, "vae" an Autoencoder, "upscaler" a
    SuperResolution. Tensors that are stored in `dtype` stay mapped from the file when `device` is
    the CPU; the others are cast one by one. `options`: ("ema", True) takes averaged weights where
    the file has them. `check` is called before every tensor and may raise Cancelled.
    Raises subclasses of ModelFileError.
    """
    import torch

    if part == "upscaler":
        from ponystudio.diffusion.upscale import load_upscaler

        return load_upscaler(path, device, dtype)
    try:
        return _load(path, part, torch.device(device), dtype, dict(options), check)
    except ModelFileError as error:
        error.where = error.where or str(path)
        raise


def quiet_libraries() -> None:
    """Keep diffusers and transformers off the network and off the terminal."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import diffusers.utils.logging
    import transformers.utils.logging

    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()


def _load(
    path: Path,
    part: str,
    device: torch.device,
    dtype: torch.dtype,
    options: Mapping[str, Any],
    check: Callable[[], None],
) -> Network[Any]:
    import torch

    from ponystudio.diffusion.weights import Weights

    quiet_libraries()
    info, how = read_header(path), PARTS[part]
    file, hints = _open(path, info, how.component)
    try:
        found = how.names(file.tensors)
        if not found:
            raise WrongKind(
                f"There is no {how.noun} in this file.",
                remedy=f"Take the {how.noun} from another file.",
            )
        if options.get("ema"):
            found = names.averaged(found, file.tensors)
        weights = Weights(file, found)
        kin = _kin(info, part, weights.shapes)
        arguments = how.config(weights.shapes, kin, hints)
        with torch.device("meta"):
            module = _built(how, arguments)
        _fill(module, weights, how.noun, device, dtype, check)
        return how.wrap(module, kin, weights, info)
    except BaseException:
        file.close()
        raise


def _open(path: Path, info: ModelFile, component: str) -> tuple[WeightsFile, Hints]:
    """The file that holds a part, and what is said about the part beside its tensors."""
    said = info.config.get(component)
    hints = said if isinstance(said, dict) else {}
    if not path.is_dir():
        return open_weights(path), hints
    folder = open_folder(path, [component])
    for name in (component, ""):  # "" is a folder of one part alone
        if name in folder.components:
            return folder.components[name], {**folder.configs[name], **hints}
    folder.close()
    raise WrongKind(f"There is no {component} in this folder.")


def _kin(info: ModelFile, part: str, shapes: Shapes) -> Family:
    """Whose the part is; one that is alone in its file is taken for the first that it fits."""
    if info.family or part == "model":
        return family(info.family)
    for kin in families().values():
        here, there = (
            (shapes[names.VAE_ROOT][1:2], kin.latent_channels)
            if part == "vae"
            else (shapes[names.TEXT_ROOT][1:2], kin.context_width)
        )
        if here == (there,):
            return kin
    return family("")


def _built(how: Part, arguments: dict[str, Any]) -> nn.Module:
    try:
        return how.build(arguments)
    except Exception as error:  # the libraries check what they are told, each in its own way
        raise UnsupportedModel(
            f"No {how.noun} can be built as this file describes it ({error}).",
            remedy="What it says about itself in `ponystudio.config` may be wrong.",
        ) from error


def _fill(
    module: nn.Module,
    weights: Weights,
    noun: str,
    device: torch.device,
    dtype: torch.dtype,
    check: Callable[[], None],
) -> None:
    """Put the stored tensors into a network on the meta device: all of them, and no others."""
    from ponystudio.diffusion.weights import assign, place

    shapes, wanted = (
        weights.shapes,
        {name: value.shape for name, value in module.named_parameters()},
    )
    if missing := wanted.keys() - shapes.keys():
        raise DamagedFile(
            f"The {noun} lacks {len(missing)} of its tensors, among them {min(missing)!r}.",
            remedy="Get the file again: it is incomplete.",
        )
    if unknown := shapes.keys() - wanted.keys():
        raise UnsupportedModel(
            f"The {noun} has {len(unknown)} tensors too many, among them {min(unknown)!r}: "
            "it is of another architecture."
        )
    for name, shape in wanted.items():
        check()
        if _without_ones(shapes[name]) != _without_ones(shape):
            raise UnsupportedModel(
                f"The tensor {name!r} of the {noun} is {list(shapes[name])}, not {list(shape)}: "
                "it is of another architecture."
            )
        assign(module, name, place(weights.stored(name, shape), device, dtype))


def _without_ones(shape: Iterable[int]) -> list[int]:
    """A 1×1 convolution and a linear layer are the same."""
    sides = list(shape)
    while len(sides) > 2 and sides[-1] == 1:
        sides.pop()
    return sides


def _build_unet(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(**arguments)


def _build_vae(arguments: dict[str, Any]) -> nn.Module:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL(**arguments)


def _build_text(arguments: dict[str, Any]) -> nn.Module:
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(**arguments))


def _denoiser(module: Any, kin: Family, weights: Weights, info: ModelFile) -> Network[Any]:
    from ponystudio.diffusion.denoiser import Denoiser

    return Denoiser(module, kin, weights, prediction=info.prediction, zsnr=info.zsnr)


def _text_encoder(module: Any, kin: Family, weights: Weights, _: ModelFile) -> Network[Any]:
    import torch

    from ponystudio.diffusion.text import TextEncoder

    # The only buffer, and not stored: the numbers of the positions.
    positions = torch.arange(module.config.max_position_embeddings)[None]
    module.embeddings.position_ids = positions.to(next(module.parameters()).device)
    return TextEncoder(module, kin, weights)


def _autoencoder(module: Any, kin: Family, weights: Weights, _: ModelFile) -> Network[Any]:
    from ponystudio.diffusion.vae import Autoencoder

    return Autoencoder(module, kin, weights)


PARTS = {
    "model": Part("denoiser", "unet", names.unet, config.unet, _build_unet, _denoiser),
    "clip": Part(
        "text encoder", "text_encoder", names.text, config.text, _build_text, _text_encoder
    ),
    "vae": Part("autoencoder", "vae", names.vae, config.vae, _build_vae, _autoencoder),
}
