"""LoRA and its kin: names of layers, kinds of deltas, files.

May import `diffusion.weights` and below. Start at `lora_file.py`; one more kind is a class in
`deltas.py`.
"""
