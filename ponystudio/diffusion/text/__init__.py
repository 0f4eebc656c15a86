"""Prompts to conditioning: syntax, tokens, CLIP, T5, textual inversion.

May import `diffusion.lora` and below. Start at `text_encoder.py`; one more dialect of prompts is a
parser in `prompt_syntax.py`.
"""
