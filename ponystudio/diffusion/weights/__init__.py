"""Tensors of a file into a network: names, fused tensors, quantised blocks.

May import `diffusion.families` and `library`. Start at `weights.py`.
"""
