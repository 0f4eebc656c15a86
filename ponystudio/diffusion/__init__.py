"""The model library: networks, text encoding, sampling, LoRA, upscaling. Importing it loads no torch."""
