"""Pictures, styles and places as prompts."""

from __future__ import annotations

from ponystudio.graph.comfyui.mapping import Mapped, NodeMapping, file_name

MAPPINGS: dict[str, NodeMapping] = {
    "CLIPVisionLoader": Mapped("core.load_vision", {"clip_name": ("file", file_name)}, ("vision",)),
    "CLIPVisionEncode": Mapped(
        "core.encode_vision",
        {"clip_vision": "vision", "image": "image", "crop": "crop"},
        ("vision_output",),
    ),
    "unCLIPConditioning": Mapped(
        "core.apply_unclip",
        {
            "conditioning": "conditioning",
            "clip_vision_output": "vision_output",
            "strength": "strength",
            "noise_augmentation": "noise",
        },
        ("conditioning",),
    ),
    "StyleModelLoader": Mapped(
        "core.load_style_model", {"style_model_name": ("file", file_name)}, ("style_model",)
    ),
    "StyleModelApply": Mapped(
        "core.apply_style_model",
        {
            "conditioning": "conditioning",
            "style_model": "style_model",
            "clip_vision_output": "vision_output",
            "strength": "strength",
            "strength_type": (
                "by",
                lambda value: "attention" if value == "attn_bias" else "factor",
                lambda value: "attn_bias" if value == "attention" else "multiply",
            ),
        },
        ("conditioning",),
    ),
    "GLIGENLoader": Mapped("core.load_gligen", {"gligen_name": ("file", file_name)}, ("gligen",)),
    "GLIGENTextBoxApply": Mapped(
        "core.place_text",
        {
            "conditioning_to": "conditioning",
            "clip": "clip",
            "gligen_textbox_model": "gligen",
            **{name: name for name in ("text", "width", "height", "x", "y")},
        },
        ("conditioning",),
    ),
}
