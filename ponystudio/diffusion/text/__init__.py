"""Prompts to conditioning: syntax, tokens, CLIP, T5, textual inversion.

May import `diffusion.lora` and below. Start at `text_encoder.py`.
"""
