"""What a node pack imports. Light: neither torch nor Qt is loaded by it.

from ponystudio.api import Annotated, Image, Range, node

@node("mypack.darken", group="Image", exact=True)
def darken(image: Image, *, by: Annotated[float, Range(0, 1)] = 0.5) -> Image:
    '''Make a picture darker.'''
    return Image(image.pixels * (1 - by))
"""

from typing import TYPE_CHECKING, Annotated, Any

from ponystudio.api.node import NodeType, Upgrade, node, nodes_in
from ponystudio.api.spec import (
    SEED_MAX,
    Affects,
    Choice,
    Colour,
    Cosmetic,
    File,
    InputSpec,
    Label,
    NodeSpec,
    OutputSpec,
    ParamSpec,
    Range,
    Seed,
    Text,
    can_feed,
)

if TYPE_CHECKING:
    from ponystudio.api.context import Context, Models
    from ponystudio.api.modifiers import (
        A1111Rules,
        Differential,
        FreeU,
        FreSca,
        Hypernetwork,
        Modifier,
        NormedGuidance,
        PerturbedAttention,
        Predicts,
        Rescaled,
        SelfAttention,
        Shift,
        SkipLayers,
    )
    from ponystudio.api.values import (
        AestheticHead,
        Area,
        Clip,
        Conditioning,
        Control,
        ControlNet,
        Entry,
        Gligen,
        Guider,
        Image,
        Latent,
        Mask,
        Merge,
        Model,
        Noise,
        Patch,
        Pictured,
        PlacedText,
        Recipe,
        Sampler,
        Sigmas,
        StyleModel,
        Upscaler,
        Vae,
        Vision,
        VisionOutput,
    )

__all__ = [
    "SEED_MAX",
    "A1111Rules",
    "AestheticHead",
    "Affects",
    "Annotated",
    "Area",
    "Choice",
    "Clip",
    "Colour",
    "Conditioning",
    "Context",
    "Control",
    "ControlNet",
    "Cosmetic",
    "Differential",
    "Entry",
    "File",
    "FreSca",
    "FreeU",
    "Gligen",
    "Guider",
    "Hypernetwork",
    "Image",
    "InputSpec",
    "Label",
    "Latent",
    "Mask",
    "Merge",
    "Model",
    "Models",
    "Modifier",
    "NodeSpec",
    "NodeType",
    "Noise",
    "NormedGuidance",
    "OutputSpec",
    "ParamSpec",
    "Patch",
    "PerturbedAttention",
    "Pictured",
    "PlacedText",
    "Predicts",
    "Range",
    "Recipe",
    "Rescaled",
    "Sampler",
    "Seed",
    "SelfAttention",
    "Shift",
    "Sigmas",
    "SkipLayers",
    "StyleModel",
    "Text",
    "Upgrade",
    "Upscaler",
    "Vae",
    "Vision",
    "VisionOutput",
    "can_feed",
    "node",
    "nodes_in",
]


def __getattr__(name: str) -> Any:
    """What a node computes with, loaded when it is first asked for: the window does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ponystudio.api import context, modifiers, values

    return next(getattr(m, name) for m in (values, modifiers, context) if hasattr(m, name))
