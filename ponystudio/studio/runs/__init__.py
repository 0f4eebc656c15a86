"""Runs: job queue, runner, planner, progress, seeds, node states.

May import `studio.documents` and below. Start at `runner.py`; one more event of the worker is a
`case` in `run_monitor.py`.
"""
