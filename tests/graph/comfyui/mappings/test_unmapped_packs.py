"""Nodes that ours do not replace: their values have their names."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, ui, written_out
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.comfyui.mapping import mappings, signatures
from ponystudio.graph.comfyui.mappings.unmapped_packs import SIGNATURES
from ponystudio.graph.placeholder import PLACEHOLDER

SAMPLED = [7, "fixed", 20, 7.0, "euler", "normal", 0.5]
NAMED = {"seed": 7, "steps": 20, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal",
         "denoise": 0.5}  # fmt: skip


def test_face_detailer():
    values = [512, True, 1024, *SAMPLED, 5, True, True, 0.5, 10, 3.0]
    values += ["center-1", 0, 0.93, 0, 0.7, "False", 10, "", 1, False, 20, False, False]
    wires = {"image": (1, 0), "detailer_hook": (1, 0)}
    document = ui(
        n1=("LoadImage", ["a.png", "image"]),
        n2=("FaceDetailer", values, wires),
        n3=("SaveImage", ["x"], {"images": (2, 1)}),
    )
    found = written_out(document)
    type, params, links = found["FaceDetailer_2"]
    assert type == f"{PLACEHOLDER}FaceDetailer"
    assert params == {
        "guide_size": 512, "guide_size_for": True, "max_size": 1024, **NAMED, "feather": 5,
        "noise_mask": True, "force_inpaint": True, "bbox_threshold": 0.5, "bbox_dilation": 10,
        "bbox_crop_factor": 3.0, "sam_detection_hint": "center-1", "sam_dilation": 0,
        "sam_threshold": 0.93, "sam_bbox_expansion": 0, "sam_mask_hint_threshold": 0.7,
        "sam_mask_hint_use_negative": "False", "drop_size": 10, "wildcard": "", "cycle": 1,
        "inpaint_model": False, "noise_mask_feather": 20, "tiled_encode": False,
        "tiled_decode": False,
    }  # fmt: skip
    assert links == {"image": "load_image_1.image", "detailer_hook": "load_image_1.image"}
    assert found["save_image_3"][2] == {"image": "FaceDetailer_2.cropped_refined"}


@pytest.mark.parametrize(
    ("type", "values", "params"),
    [
        (
            "UltimateSDUpscale",
            [2, *SAMPLED, "Linear", 512, 512, 8, 32, "None", 1, 64, 8, 16, True, False],
            {"upscale_by": 2, **NAMED, "mode_type": "Linear", "tile_width": 512,
             "tile_height": 512, "mask_blur": 8, "tile_padding": 32, "seam_fix_mode": "None",
             "seam_fix_denoise": 1, "seam_fix_width": 64, "seam_fix_mask_blur": 8,
             "seam_fix_padding": 16, "force_uniform_tiles": True, "tiled_decode": False},
        ),
        (
            "IPAdapterAdvanced",
            [0.8, "linear", "concat", 0, 1, "V only"],
            {"weight": 0.8, "weight_type": "linear", "combine_embeds": "concat", "start_at": 0,
             "end_at": 1, "embeds_scaling": "V only"},
        ),
        ("IPAdapterUnifiedLoader", ["PLUS (high strength)"], {"preset": "PLUS (high strength)"}),
        ("ADE_LoadAnimateDiffModel", ["mm.ckpt"], {"model_name": "mm.ckpt"}),
        (
            "ReActorFaceSwap",
            [True, "inswapper_128.onnx", "retinaface_resnet50", "none", 1, 0.5, "no", "no",
             "0", "0", 1],
            {"enabled": True, "swap_model": "inswapper_128.onnx",
             "facedetection": "retinaface_resnet50", "face_restore_model": "none",
             "face_restore_visibility": 1, "codeformer_weight": 0.5, "detect_gender_input": "no",
             "detect_gender_source": "no", "input_faces_index": "0", "source_faces_index": "0",
             "console_log_level": 1},
        ),
    ],
)  # fmt: skip
def test_values_have_their_names(type, values, params):
    id = f"{type}_1"
    expected = {id: (f"{PLACEHOLDER}{type}", params, {})}
    assert written_out(ui(n1=(type, values))) == expected
    assert written_out(api(n1=(type, params))) == expected
    assert import_document(ui(n1=(type, values))).placeholders == {id: type}


def test_none_of_them_has_become_a_node_of_ours():
    assert not SIGNATURES.keys() & mappings().keys()


def test_no_node_has_two_inputs_or_outputs_of_a_name():
    for type, signature in signatures().items():
        names = [name for name, _, _ in signature.inputs]
        assert len(names) == len(set(names)), type
