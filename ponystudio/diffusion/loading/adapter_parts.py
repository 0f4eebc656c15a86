"""Style models, GLIGEN and aesthetic heads as parts: how they are found in a file, described, built
and wrapped. Importing this loads no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.weights import network_config
from ponystudio.diffusion.weights.name_table import Naming
from ponystudio.diffusion.weights.network_config import side
from ponystudio.diffusion.weights.tensor_names import count
from ponystudio.errors import UnsupportedModel
from ponystudio.library.recognition import signatures

if TYPE_CHECKING:
    from torch import nn

    from ponystudio.diffusion.images.aesthetics import AestheticScorer
    from ponystudio.diffusion.images.style_model import StyleEncoder
    from ponystudio.diffusion.loading.gligen import GligenNetwork
    from ponystudio.diffusion.weights.weights import Weights
    from ponystudio.library.formats.tensor_info import TensorInfo
    from ponystudio.library.recognition.recognise import ModelFile

Shapes = Mapping[str, tuple[int, ...]]
Hints = Mapping[str, Any]
Tensors = Mapping[str, "TensorInfo"]

STYLE_NODE = "Load style model (core.load_style_model)"
HEAD_NODE = "Load aesthetic head (core.load_aesthetic_head)"
GLIGEN_NODE = "Load GLIGEN (core.load_gligen)"
FUSER = re.compile(r"(.+)\.fuser\.(.+)")
# A sine and a cosine of each frequency for each of the four sides of a box.
OF_FREQUENCY = 8


def style_naming(tensors: Tensors, _: Family) -> Naming:
    wanted = [f"redux_{way}.{leaf}" for way in ("up", "down") for leaf in ("weight", "bias")]
    return Naming({name: name for name in wanted if name in tensors})


def style_fits(_: Shapes, family: Family) -> bool:
    return family.name == "flux"


def describe_style(shapes: Shapes, _family: Family, _hints: Mapping[str, Hints]) -> dict[str, Any]:
    """The arguments of diffusers' ReduxImageEncoder."""
    return {
        "redux_dim": side(shapes, "redux_up.weight", 1),
        "txt_in_features": side(shapes, "redux_down.weight", 0),
    }


def build_style(arguments: dict[str, Any], _: Family) -> nn.Module:
    from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder

    return ReduxImageEncoder(**arguments)


def wrap_style(
    module: Any, family: Family, weights: Weights, _info: ModelFile, _options: Mapping[str, Any]
) -> StyleEncoder:
    from ponystudio.diffusion.images.style_model import StyleEncoder

    return StyleEncoder(module, family, weights)


def gligen_naming(tensors: Tensors, _: Family) -> Naming:
    """The layers of the blocks in the order in which the file has them first."""
    prefix = signatures.gligen(tensors)
    return Naming({} if prefix is None else dict(_gligen_names(tensors, prefix)))


def _gligen_names(tensors: Tensors, prefix: str) -> Iterator[tuple[str, str]]:
    blocks: dict[str, int] = {}
    for key in tensors:
        name = key.removeprefix(prefix)
        if match := FUSER.fullmatch(name):
            number = blocks.setdefault(match[1], len(blocks))
            yield f"fusers.{number}.{match[2]}", key
        elif name.startswith("position_net."):
            yield name, key


def gligen_fits(_: Shapes, family: Family) -> bool:
    """Whose width tells no family is a relative of those of Stable Diffusion 1."""
    return family.name == "sd1"


def describe_gligen(shapes: Shapes, family: Family, _: Mapping[str, Hints]) -> dict[str, Any]:
    """The arguments of loading.gligen.GatedLayers."""
    if "position_net.linears_text.0.weight" in shapes:
        raise UnsupportedModel(
            "This GLIGEN model is told pictures of what it places, which is not possible here.",
            remedy="Use one that is told words, such as gligen_sd14_textbox_pruned.safetensors.",
        )
    fusers = []
    for n in range(count(shapes, r"fusers\.(\d{1,4})\.")):
        width = side(shapes, f"fusers.{n}.linear.weight", 0)
        heads = family.unet_heads or max(1, width // network_config.UNET_HEAD)
        fusers.append(
            {
                "query_dim": width,
                "context_dim": side(shapes, f"fusers.{n}.linear.weight", 1),
                "n_heads": heads,
                "d_head": side(shapes, f"fusers.{n}.attn.to_q.weight", 0) // heads,
            }
        )
    return {
        "positive_len": side(shapes, "position_net.null_positive_feature", 0),
        "out_dim": side(shapes, "position_net.linears.4.weight", 0),
        "fourier_freqs": side(shapes, signatures.GLIGEN, 0) // OF_FREQUENCY,
        "fusers": fusers,
    }


def build_gligen(arguments: dict[str, Any], _: Family) -> nn.Module:
    from ponystudio.diffusion.loading.gligen import GatedLayers

    return GatedLayers(arguments)


def wrap_gligen(
    module: Any, family: Family, weights: Weights, _info: ModelFile, _options: Mapping[str, Any]
) -> GligenNetwork:
    from ponystudio.diffusion.loading.gligen import GligenNetwork

    prefix = signatures.gligen(weights.file.tensors) or ""
    names = weights.naming.names
    gates = (names[f"fusers.{n}.alpha_attn"] for n in range(len(module.fusers)))
    blocks = [gate.removeprefix(prefix).removesuffix(".fuser.alpha_attn") for gate in gates]
    return GligenNetwork(module, family, blocks, weights)


def head_naming(tensors: Tensors, _: Family) -> Naming:
    """The layers by their numbers in the file, between which others have stood."""
    return Naming(
        {
            f"{layer}.{leaf}": name
            for name in tensors
            for layer, leaf in [signatures.head_layer(name) or (-1, "")]
            if leaf
        }
    )


def describe_head(shapes: Shapes, _family: Family, _hints: Mapping[str, Hints]) -> dict[str, Any]:
    """Number, width and outputs of each of the `layers`, and whether they are `activated`.

    Dropout took a place between those of LAION's heads, which are all linear; an activation and
    dropout two, as in Pony's.
    """
    numbers = sorted({int(name.partition(".")[0]) for name in shapes})
    layers = [(n, side(shapes, f"{n}.weight", 1), side(shapes, f"{n}.weight", 0)) for n in numbers]
    return {"layers": layers, "activated": any(b - a > 2 for a, b in pairwise(numbers))}


def build_head(arguments: dict[str, Any], _: Family) -> nn.Module:
    from torch import nn

    layers = {n: (width, out) for n, width, out in arguments["layers"]}
    modules: list[nn.Module] = []
    for n in range(max(layers) + 1):
        if n in layers:
            modules.append(nn.Linear(*layers[n]))
        else:
            follows = arguments["activated"] and n - 1 in layers
            modules.append(nn.ReLU() if follows else nn.Identity())
    return nn.Sequential(*modules)


def wrap_head(
    module: Any, _family: Family, weights: Weights, _info: ModelFile, _options: Mapping[str, Any]
) -> AestheticScorer:
    from ponystudio.diffusion.images.aesthetics import AestheticScorer

    stored = next(iter(weights.naming.names.values()))
    return AestheticScorer(
        module,
        weights,
        width=weights.shapes["0.weight"][1],
        # Pony's own was saved in a module of training, and scores in 0..1.
        of_one=stored.startswith("model."),
    )
