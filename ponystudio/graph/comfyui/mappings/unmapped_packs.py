"""Nodes that ours do not replace, which stand there with the names of their values."""

from __future__ import annotations

from ponystudio.graph.comfyui.core_nodes import Signature, signature
from ponystudio.graph.comfyui.mapping import NodeMapping

MAPPINGS: dict[str, NodeMapping] = {}

_SAMPLER = "seed+, steps, cfg, sampler_name, scheduler, denoise"
_TILES = (
    "mode_type, tile_width, tile_height, mask_blur, tile_padding, seam_fix_mode, seam_fix_denoise, "
    "seam_fix_width, seam_fix_mask_blur, seam_fix_padding, force_uniform_tiles, tiled_decode, "
    "batch_size"
)
_UPSCALED = "image, model, positive, negative, vae"
# What FaceDetailer and its kin share: how a part is enlarged and painted.
_DETAILED = f"guide_size, guide_size_for, max_size, {_SAMPLER}, feather, noise_mask, force_inpaint"
_FACE = (
    f"{_DETAILED}, bbox_threshold, bbox_dilation, bbox_crop_factor, sam_detection_hint, "
    "sam_dilation, sam_threshold, sam_bbox_expansion, sam_mask_hint_threshold, "
    "sam_mask_hint_use_negative, drop_size, wildcard, cycle, inpaint_model, noise_mask_feather, "
    "tiled_encode, tiled_decode"
)
_FACES = "image, cropped_refined, cropped_enhanced_alpha, mask, detailer_pipe, cnet_images"
_DETECTORS = "bbox_detector, sam_model_opt, segm_detector_opt, detailer_hook, scheduler_func_opt"
_SHOWN = "model, ipadapter, image"

SIGNATURES: dict[str, Signature] = {
    "UltimateSDUpscale": signature(
        f"{_UPSCALED}, upscale_model", f"upscale_by, {_SAMPLER}, {_TILES}", "IMAGE"
    ),
    "UltimateSDUpscaleNoUpscale": signature(
        "upscaled_image, model, positive, negative, vae", f"{_SAMPLER}, {_TILES}", "IMAGE"
    ),
    # Impact Pack
    "FaceDetailer": signature(
        f"image, model, clip, vae, positive, negative, {_DETECTORS}", _FACE, _FACES
    ),
    "FaceDetailerPipe": signature("image, detailer_pipe, scheduler_func_opt", _FACE, _FACES),
    "DetailerForEach": signature(
        "image, segs, model, clip, vae, positive, negative, detailer_hook",
        f"{_DETAILED}, wildcard, cycle, inpaint_model, noise_mask_feather, tiled_encode, "
        "tiled_decode",
        "IMAGE",
    ),
    "UltralyticsDetectorProvider": signature("", "model_name", "BBOX_DETECTOR, SEGM_DETECTOR"),
    "SAMLoader": signature("", "model_name, device_mode", "SAM_MODEL"),
    # IPAdapter plus
    "IPAdapterModelLoader": signature("", "ipadapter_file", "IPADAPTER"),
    "IPAdapterUnifiedLoader": signature("model, ipadapter", "preset", "model, ipadapter"),
    "IPAdapterUnifiedLoaderFaceID": signature(
        "model, ipadapter", "preset, lora_strength, provider", "MODEL, ipadapter"
    ),
    "IPAdapter": signature(
        f"{_SHOWN}, attn_mask", "weight, start_at, end_at, weight_type", "MODEL"
    ),
    "IPAdapterAdvanced": signature(
        f"{_SHOWN}, image_negative, attn_mask, clip_vision",
        "weight, weight_type, combine_embeds, start_at, end_at, embeds_scaling",
        "MODEL",
    ),
    "IPAdapterFaceID": signature(
        f"{_SHOWN}, image_negative, attn_mask, clip_vision, insightface",
        "weight, weight_faceidv2, weight_type, combine_embeds, start_at, end_at, embeds_scaling",
        "MODEL, face_image",
    ),
    "IPAdapterInsightFaceLoader": signature("", "provider, model_name", "INSIGHTFACE"),
    # AnimateDiff Evolved
    "ADE_AnimateDiffLoaderWithContext": signature(
        "model, context_options, motion_lora, ad_settings, ad_keyframes, sample_settings, "
        "scale_multival, effect_multival, per_block",
        "model_name, beta_schedule, motion_scale, apply_v2_models_properly",
        "MODEL",
    ),
    "ADE_AnimateDiffLoaderGen1": signature(
        "model, context_options, motion_lora, ad_settings, ad_keyframes, sample_settings, "
        "scale_multival, effect_multival, per_block",
        "model_name, beta_schedule",
        "MODEL",
    ),
    "ADE_LoadAnimateDiffModel": signature("ad_settings", "model_name", "MOTION_MODEL"),
    "ADE_AnimateDiffUniformContextOptions": signature(
        "prev_context, view_opts",
        "context_length, context_stride, context_overlap, context_schedule, closed_loop, "
        "fuse_method, use_on_equal_length, start_percent, guarantee_steps",
        "CONTEXT_OPTS",
    ),
    # ReActor
    "ReActorFaceSwap": signature(
        "input_image, source_image, face_model, face_boost",
        "enabled, swap_model, facedetection, face_restore_model, face_restore_visibility, "
        "codeformer_weight, detect_gender_input, detect_gender_source, input_faces_index, "
        "source_faces_index, console_log_level",
        "SWAPPED_IMAGE, FACE_MODEL, ORIGINAL_IMAGE",
    ),
}
