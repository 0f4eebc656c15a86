"""Where random numbers come from: generators, paths, and what one run draws. It knows no models.

May import `ponystudio.api`. Start at `run_noise.py`; `draws.py` draws by each rule, `philox.py` as
NVIDIA's cards. Importing it loads no torch.
"""
