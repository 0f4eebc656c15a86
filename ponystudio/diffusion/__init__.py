"""The model library: networks, text encoding, sampling, LoRA, upscaling.

Importing the package itself loads no torch.
"""
