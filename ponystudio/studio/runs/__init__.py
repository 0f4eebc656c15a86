"""Runs: job queue, runner, planner, progress, seeds, node states.

May import `studio.documents` and below. Start at `runner.py`.
"""
