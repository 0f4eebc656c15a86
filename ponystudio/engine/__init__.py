"""Plan and execute a graph.

May import `diffusion` and below, never Qt. Start at `engine.py`; `plan.py` says what would run,
`executor.py` runs it.
"""
