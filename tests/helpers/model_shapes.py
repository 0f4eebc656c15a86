"""A few tensors, by their shapes, from which the family of a checkpoint is told."""

from __future__ import annotations

UNET = "model.diffusion_model."
CONTEXT = "1.transformer_blocks.0.attn2.to_k.weight"
VAE = {
    "first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3],
    "first_stage_model.encoder.conv_in.weight": [128, 3, 3, 3],
}
SD1 = {
    f"{UNET}input_blocks.0.0.weight": [320, 4, 3, 3],
    f"{UNET}input_blocks.1.1.proj_in.weight": [320, 320, 1, 1],
    f"{UNET}input_blocks.1.{CONTEXT}": [320, 768],
    **VAE,
    "cond_stage_model.transformer.text_model.final_layer_norm.weight": [768],
}
SD2 = {
    f"{UNET}input_blocks.0.0.weight": [320, 4, 3, 3],
    f"{UNET}input_blocks.1.1.proj_in.weight": [320, 320],
    f"{UNET}input_blocks.1.{CONTEXT}": [320, 1024],
    **VAE,
    "cond_stage_model.model.ln_final.weight": [1024],
}
SDXL = {
    f"{UNET}input_blocks.0.0.weight": [320, 4, 3, 3],
    f"{UNET}label_emb.0.0.weight": [1280, 2816],
    f"{UNET}input_blocks.4.{CONTEXT}": [640, 2048],
    **VAE,
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": [768],
}
