"""A part of a model file opened, built, filled, patched, streamed, cancelled.

May import all of `diffusion`. Start at `load.py`; one more part of models is a
ModelPart in `model_parts.py`.
"""
