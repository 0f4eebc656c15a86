"""Tensors of a file into a network: names, fused tensors, quantised blocks.

May import `diffusion.families` and `library`. Start at `weights.py`; other people's names for our
tensors are tables in `tensor_names.py` and `text_tensor_names.py`.
"""
