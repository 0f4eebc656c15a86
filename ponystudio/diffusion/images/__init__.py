"""Pictures and latents: VAE, upscalers, their files, scaling.

May import `diffusion.text` and below. Start at `vae.py`.
"""
