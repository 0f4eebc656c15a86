"""Efficiency Nodes: a loader with prompts and size, a sampler that decodes, and what is stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import (
    Builder,
    Carried,
    MappedOutput,
    NodeMapping,
    Outputs,
    file_name,
)
from ponystudio.graph.comfyui.mappings.lora_packs import MOST_ROWS, AppliedLora, apply_rows
from ponystudio.graph.comfyui.mappings.sampling import MAPPINGS as SAMPLING
from ponystudio.graph.comfyui.mappings.seed_packs import seed_value
from ponystudio.graph.comfyui.source_graph import SourceNode, Wire
from ponystudio.graph.model import Link

_NONE = ("", "None", None)
# How words are weighed, in its words, where ours are the same.
_DIALECTS = {"comfy": "comfyui", "A1111": "a1111"}


@dataclass(frozen=True)
class AppliedControl:
    """A ControlNet as it is applied; strength, start and end are values or wires."""

    network: MappedOutput | None
    image: MappedOutput | None
    strength: Any = 1.0
    start: Any = 0.0
    end: Any = 1.0


def load(node: SourceNode, builder: Builder) -> Outputs:
    """A checkpoint, a LoRA, two prompts and an empty latent."""
    inputs = node.inputs
    file = {"file": file_name(inputs.get("ckpt_name", ""))}
    loaded = builder.add(node, "core.load_checkpoint", file)
    skip = _clip_skip(node, builder)
    vae = MappedOutput(Link(loaded, "vae"))
    if (name := inputs.get("vae_name", "Baked VAE")) not in (*_NONE, "Baked VAE", "Baked-VAE"):
        id = builder.add(node, "core.load_vae", {"file": file_name(name)}, beside="vae")
        vae = MappedOutput(Link(id, "vae"))
    model, clip = _with_loras(
        node, builder, MappedOutput(Link(loaded, "model")), MappedOutput(Link(loaded, "clip"))
    )
    dialect = _dialect(node, builder)
    prompts = [
        MappedOutput(
            Link(
                builder.add(
                    node,
                    "core.encode_prompt",
                    {
                        "clip": clip,
                        "text": inputs.get(name, ""),
                        "dialect": dialect,
                        "clip_skip": skip,
                        "empty": "encode",
                    },
                    beside=name,
                ),
                "conditioning",
            )
        )
        for name in ("positive", "negative")
    ]
    controls = builder.carried(inputs.get("cnet_stack")) or ()
    positive, negative = control(node, builder, prompts[0], prompts[1], controls)
    size = {
        "width": inputs.get("empty_latent_width", 512),
        "height": inputs.get("empty_latent_height", 512),
        "batch": inputs.get("batch_size", 1),
    }
    latent = builder.add(node, "core.empty_latent", size, beside="latent")
    read = clip and replace(clip, clip_skip=skip)
    return [model, positive, negative, MappedOutput(Link(latent, "latent")), vae, read, None]


def _clip_skip(node: SourceNode, builder: Builder) -> int:
    """The layer that prompts are read from, counted from the last: theirs is below 0."""
    said = builder.constant(node.inputs.get("clip_skip", -1))
    if said is None:
        builder.tell(node, "its layer comes from a wire, and is left out")
        return 1
    return abs(int(said))


def _with_loras(
    node: SourceNode, builder: Builder, model: MappedOutput, clip: MappedOutput
) -> tuple[MappedOutput | None, MappedOutput | None]:
    rows = list(builder.carried(node.inputs.get("lora_stack")) or ())
    strengths = [node.inputs.get(f"lora_{name}_strength", 1.0) for name in ("model", "clip")]
    if (name := node.inputs.get("lora_name", "None")) not in _NONE:
        rows.append(AppliedLora(file_name(name), *strengths))
    if not rows:
        return model, clip
    return apply_rows(node, builder, model, clip, rows, beside="loras")


def _dialect(node: SourceNode, builder: Builder) -> str:
    weights = node.inputs.get("weight_interpretation", "comfy")
    normal = node.inputs.get("token_normalization", "none")
    if weights not in _DIALECTS or normal != "none":
        said = f"its prompts are weighed by {weights} with the normalization {normal}"
        builder.tell(node, f"{said}, which differs here")
    return _DIALECTS.get(str(weights), "comfyui")


def control(
    node: SourceNode,
    builder: Builder,
    positive: MappedOutput | None,
    negative: MappedOutput | None,
    rows: Sequence[AppliedControl],
) -> tuple[MappedOutput | None, MappedOutput | None]:
    """Both prompts with ControlNets, one after the other."""
    for number, row in enumerate(rows):
        values = {
            "positive": positive,
            "negative": negative,
            "controlnet": row.network,
            "image": row.image,
            "strength": row.strength,
            "start": row.start,
            "end": row.end,
        }
        if row.network and row.network.control_kind:
            values["kind"] = row.network.control_kind
        id = builder.add(node, "core.apply_controlnet", values, beside=f"control{number + 1}")
        positive, negative = (MappedOutput(Link(id, name)) for name in ("positive", "negative"))
    return positive, negative


def control_stack(node: SourceNode, builder: Builder) -> Outputs:
    row = AppliedControl(
        builder.output(node.inputs.get("control_net")),
        builder.output(node.inputs.get("image")),
        node.inputs.get("strength", 1.0),
        node.inputs.get("start_percent", 0.0),
        node.inputs.get("end_percent", 1.0),
    )
    before = builder.carried(node.inputs.get("cnet_stack")) or ()
    if len(before) >= MOST_ROWS:
        builder.tell(node, f"more than {MOST_ROWS} ControlNets in a stack are left out")
        return [Carried(before)]
    return [Carried((*before, row))]


def apply_controls(node: SourceNode, builder: Builder) -> Outputs | None:
    rows = builder.carried(node.inputs.get("cnet_stack"))
    if rows is None and isinstance(node.inputs.get("cnet_stack"), Wire):
        builder.tell(node, "its stack comes from nothing that is known here")
        return None
    positive, negative = (
        builder.output(node.inputs.get(name)) for name in ("positive", "negative")
    )
    return control(node, builder, positive, negative, rows or ())


def sample(node: SourceNode, builder: Builder) -> Outputs:
    """The core sampler; what it was given passes on, and its latent is decoded too."""
    inputs = node.inputs
    node.inputs.get("preview_method")
    if isinstance(inputs.get("script"), Wire):
        builder.tell(node, "its script, such as a second pass, is left out")
    advanced = node.type == "KSampler Adv. (Efficient)"
    seed = "noise_seed" if advanced else "seed"
    said = {**inputs, seed: seed_value(node, builder, inputs.get(seed, 0))}
    core = SAMPLING["KSamplerAdvanced" if advanced else "KSampler"]
    (latent,) = core(replace(node, inputs=said), builder) or (None,)
    vae = builder.output(inputs.get("optional_vae"))
    passed = [builder.output(inputs.get(name)) for name in ("model", "positive", "negative")]
    return [*passed, latent, vae, _decoded(node, builder, latent, vae)]


def _decoded(
    node: SourceNode, builder: Builder, latent: Any, vae: MappedOutput | None
) -> MappedOutput | None:
    """Its picture, which it shows where nothing takes it up."""
    wanted = str(node.inputs.get("vae_decode", "true"))
    used = builder.is_used(node, 5)
    if vae is None or not (used or wanted.startswith("true")):
        if used:
            builder.tell(node, "it has no VAE to decode its picture with")
        return None
    values: dict[str, Any] = {"latent": latent, "vae": vae}
    if "tiled" in wanted:
        values["tile"] = 512
    image = MappedOutput(
        Link(builder.add(node, "core.decode_latent", values, beside="image"), "image")
    )
    if not used:
        builder.add(node, "core.preview_image", {"image": image}, beside="shown")
    return image


MAPPINGS: dict[str, NodeMapping] = {
    "Efficient Loader": load,
    "KSampler (Efficient)": sample,
    "KSampler Adv. (Efficient)": sample,
    "Control Net Stacker": control_stack,
    "Apply ControlNet Stack": apply_controls,
}

_GUIDED = "model, positive, negative, latent_image, optional_vae, script"
_SAMPLED = "MODEL, CONDITIONING+, CONDITIONING-, LATENT, VAE, IMAGE"
SIGNATURES: dict[str, Signature] = {
    "Efficient Loader": signature(
        "lora_stack, cnet_stack",
        "ckpt_name, vae_name, clip_skip, lora_name, lora_model_strength, lora_clip_strength, "
        "positive, negative, token_normalization, weight_interpretation, empty_latent_width, "
        "empty_latent_height, batch_size",
        "MODEL, CONDITIONING+, CONDITIONING-, LATENT, VAE, CLIP, DEPENDENCIES",
    ),
    "KSampler (Efficient)": signature(
        _GUIDED,
        "seed+, steps, cfg, sampler_name, scheduler, denoise, preview_method, vae_decode",
        _SAMPLED,
    ),
    "KSampler Adv. (Efficient)": signature(
        _GUIDED,
        "add_noise, noise_seed+, steps, cfg, sampler_name, scheduler, start_at_step, end_at_step, "
        "return_with_leftover_noise, preview_method, vae_decode",
        _SAMPLED,
    ),
    "Control Net Stacker": signature(
        "control_net, image, cnet_stack", "strength, start_percent, end_percent", "CNET_STACK"
    ),
    "Apply ControlNet Stack": signature(
        "positive, negative, cnet_stack", "", "CONDITIONING+, CONDITIONING-"
    ),
}
