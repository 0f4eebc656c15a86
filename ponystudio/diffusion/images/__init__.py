"""Pictures and latents: VAE, upscalers, image encoders and what reads them, files, scaling,
filters, compositing, masks, palettes.

May import `diffusion.text` and below. Start at `vae.py`; one more network that enlarges is a branch
of `network_for` in `realesrgan.py`, unless the package spandrel has it.
"""
