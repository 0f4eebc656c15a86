"""Weights pool, devices, allocation limit, and what is tried when memory runs short.

May import `engine.cache` and below. Start at `weights_pool.py`; one more thing to try is a step of
`OomFallbacks._following` in `oom_fallbacks.py`.
"""
