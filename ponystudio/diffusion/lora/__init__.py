"""LoRA and its kin: what a file holds, which layers of a network it matches, what it adds to them.

May import `diffusion.weights` and below. Start at `lora_file.py`, where files are matched to
modules (`LoraFile.for_module`); one more kind is a class in `deltas.py`.
"""
