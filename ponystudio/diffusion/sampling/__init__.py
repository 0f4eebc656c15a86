"""Samplers, schedules and guidance. Importing it loads no torch.

May import `diffusion.noise`, `diffusion.weights` and below. Start at `run.py`. One more sampler is
its function and a row in `names.py`; one more schedule a function in `schedules.py` and its name in
both. What A1111 does otherwise than ComfyUI is in `a1111_rules.py`, and in `diffusion.noise`.
"""
