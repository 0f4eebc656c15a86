"""Plan and execute a graph.

May import `diffusion` and below, never Qt. Start at `engine.py`; `run_planner.py` says what would
run, `executor.py` runs it with the `run_services.py`.
"""
