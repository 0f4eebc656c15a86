"""Models and text encoders put together."""

from __future__ import annotations

from ponystudio.graph.comfyui.mapping import Mapped, NodeMapping

_MODELS = {"model1": "model", "model2": "other"}
_CLIPS = {"clip1": "clip", "clip2": "other"}

MAPPINGS: dict[str, NodeMapping] = {
    "ModelMergeSimple": Mapped(
        "core.merge_models",
        {**_MODELS, "ratio": "ratio"},
        ("model",),
        fixed={"share": "first", "curve": "flat", "blocks": ""},
    ),
    "ModelMergeAdd": Mapped("core.add_models", _MODELS, ("model",), fixed={"multiplier": 1.0}),
    "ModelMergeSubtract": Mapped(
        "core.subtract_models", {**_MODELS, "multiplier": "multiplier"}, ("model",)
    ),
    "CLIPMergeSimple": Mapped(
        "core.merge_clips", {**_CLIPS, "ratio": "ratio"}, ("clip",), fixed={"how": "weighted"}
    ),
    "CLIPMergeAdd": Mapped(
        "core.merge_clips", _CLIPS, ("clip",), fixed={"how": "add", "ratio": 1.0}
    ),
    "CLIPMergeSubtract": Mapped(
        "core.merge_clips", {**_CLIPS, "multiplier": "ratio"}, ("clip",), fixed={"how": "subtract"}
    ),
}
