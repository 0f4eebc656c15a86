"""Whole checkpoints: written in the original's layout, and compared with one another.

May import all of `diffusion`. Start at `checkpoint_tensors.py`.
"""
