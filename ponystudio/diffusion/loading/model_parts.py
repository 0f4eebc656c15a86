"""The parts of a model: how each is found in a file, described, built and wrapped; and files and
diffusers folders, opened for one of them.

Importing this loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.architectures import architecture
from ponystudio.diffusion.families import Family
from ponystudio.diffusion.families.predictions import PREDICTIONS
from ponystudio.diffusion.loading import adapter_parts, control_part, text_part, vision_part
from ponystudio.diffusion.weights import network_config, tensor_names
from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.errors import WrongKind
from ponystudio.library.formats.diffusers_folder import open_folder
from ponystudio.library.formats.weights_file import WeightsFile, joined, open_weights
from ponystudio.library.recognition.recognise import ModelFile

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from ponystudio.diffusion.sampling.unclip import FeatureScale
    from ponystudio.diffusion.weights.network import Network
    from ponystudio.diffusion.weights.weights import Weights
    from ponystudio.library.formats.tensor_info import TensorInfo
    from ponystudio.library.recognition.recognise import ModelFile

Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]
Tensors = Mapping[str, "TensorInfo"]


@dataclass(frozen=True)
class ModelPart:
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


def _denoiser_naming(tensors: Tensors, family: Family) -> Naming:
    return architecture(family.architecture).naming(tensors)


def _denoiser_config(shapes: Shapes, family: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    how = architecture(family.architecture)
    return how.config(shapes, family, hints[how.component])


def _build_denoiser(arguments: dict[str, Any], family: Family) -> nn.Module:
    return architecture(family.architecture).build(arguments)


def predicts(info: ModelFile, options: Mapping[str, Any]) -> tuple[str, bool]:
    """What the denoiser of a file predicts, and whether its noise ends without signal: as the user
    says, or else the file."""
    said_by_user = PREDICTIONS.get(options.get("prediction", ""))
    return said_by_user or (info.prediction, info.zsnr)


def _denoiser(
    module: Any, family: Family, weights: Weights, info: ModelFile, options: Mapping[str, Any]
) -> Network[Any]:
    from ponystudio.diffusion.loading.denoiser import Denoiser

    said = info.config.get(architecture(family.architecture).component)
    rgb = network_config.rgb(family, said) if isinstance(said, dict) else None
    prediction, zsnr = predicts(info, options)
    features = _feature_scale(info.path, weights.file) if info.pictured else None
    return Denoiser(
        module, family, weights, prediction=prediction, zsnr=zsnr, rgb=rgb, features=features
    )


def _feature_scale(path: Path, file: WeightsFile) -> FeatureScale | None:
    """How the features of pictures are distributed that an unCLIP model was trained on, where its
    file says so, or a file of its own in a folder of diffusers'."""
    from ponystudio.diffusion.sampling.unclip import FeatureScale
    from ponystudio.diffusion.weights.weights import tensor

    if path.is_dir():
        beside = path / "image_normalizer" / "diffusion_pytorch_model.safetensors"
        if not beside.is_file():
            return None
        with open_weights(beside) as normaliser:
            found = [tensor(normaliser, name).float().flatten().clone() for name in ("mean", "std")]
        return FeatureScale(*found)
    names = [f"noise_augmentor.data_{name}" for name in ("mean", "std")]
    if not all(name in file.tensors for name in names):
        return None
    return FeatureScale(*(tensor(file, name).float().flatten().clone() for name in names))


def _vae_naming(tensors: Tensors, _: Family) -> Naming:
    return Naming(tensor_names.vae(tensors))


def _vae_fits(shapes: Shapes, family: Family) -> bool:
    return shapes.get(tensor_names.VAE_ROOT, ())[1:2] == (family.latent_channels,)


def _vae_config(shapes: Shapes, family: Family, hints: Mapping[str, Hints]) -> dict[str, Any]:
    return network_config.vae(shapes, family, hints["vae"])


def _build_vae(arguments: dict[str, Any], _: Family) -> nn.Module:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return AutoencoderKL(**arguments)


def _autoencoder(
    module: Any, family: Family, weights: Weights, _info: ModelFile, _options: Mapping[str, Any]
) -> Network[Any]:
    from ponystudio.diffusion.images.vae import Autoencoder

    return Autoencoder(module, family, weights)


PARTS = {
    "model": ModelPart(
        "denoiser",
        "Load model (core.load_model)",
        ("unet", "transformer"),
        _denoiser_naming,
        lambda *_: False,  # a denoiser's family is told by its file
        _denoiser_config,
        _build_denoiser,
        _denoiser,
    ),
    "clip": ModelPart(
        "text encoder",
        text_part.NODE,
        text_part.COMPONENTS,
        text_part.naming,
        text_part.fits,
        text_part.describe,
        text_part.build,
        text_part.wrap,
    ),
    "vae": ModelPart(
        "autoencoder",
        "Load VAE (core.load_vae)",
        ("vae",),
        _vae_naming,
        _vae_fits,
        _vae_config,
        _build_vae,
        _autoencoder,
    ),
    "vision": ModelPart(
        "image encoder",
        vision_part.NODE,
        (vision_part.COMPONENT,),
        vision_part.naming,
        lambda *_: True,  # those of all families are the same
        vision_part.describe,
        vision_part.build,
        vision_part.wrap,
    ),
    "style_model": ModelPart(
        "style model",
        adapter_parts.STYLE_NODE,
        (),
        adapter_parts.style_naming,
        adapter_parts.style_fits,
        adapter_parts.describe_style,
        adapter_parts.build_style,
        adapter_parts.wrap_style,
    ),
    "gligen": ModelPart(
        "GLIGEN model",
        adapter_parts.GLIGEN_NODE,
        (),
        adapter_parts.gligen_naming,
        adapter_parts.gligen_fits,
        adapter_parts.describe_gligen,
        adapter_parts.build_gligen,
        adapter_parts.wrap_gligen,
    ),
    "controlnet": ModelPart(
        "ControlNet",
        control_part.NODE,
        control_part.COMPONENTS,
        control_part.naming,
        lambda *_: False,  # whose it is is told by its file
        control_part.describe,
        control_part.build,
        control_part.wrap,
    ),
    "aesthetic_head": ModelPart(
        "aesthetic head",
        adapter_parts.HEAD_NODE,
        (),
        adapter_parts.head_naming,
        lambda *_: True,  # they know no families
        adapter_parts.describe_head,
        adapter_parts.build_head,
        adapter_parts.wrap_head,
    ),
}


def opened(info: ModelFile, how: ModelPart) -> tuple[WeightsFile, dict[str, Hints]]:
    """The file that holds a part, and what is said about its components beside the tensors.

    The components of a folder are one file, each under its name. Raises WrongKind for a folder
    without any, and what `open_weights` and `open_folder` raise.
    """
    path, said = info.path, {name: info.config.get(name) for name in how.components}
    hints: dict[str, Hints] = {
        name: value if isinstance(value, dict) else {} for name, value in said.items()
    }
    if not path.is_dir():
        return open_weights(path), hints
    folder = open_folder(path, how.components)
    if "" in folder.components:  # a folder of one component alone
        hints = {name: {**folder.configs[""], **hints[name]} for name in hints}
        return folder.components[""], hints
    present = [name for name in how.components if name in folder.components]
    hints |= {name: {**folder.configs[name], **hints[name]} for name in present}
    if len(present) == 1:
        return folder.components[present[0]], hints
    if present:
        return joined(path, [(f"{name}.", folder.components[name]) for name in present]), hints
    folder.close()
    raise WrongKind(f"There is no {how.noun} in this folder.", remedy=how.elsewhere)
