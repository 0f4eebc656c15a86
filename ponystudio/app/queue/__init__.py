"""Run bar, bottom bar with memory bar, job chips, queue panel.

May import `canvas` and below. Start at `run_bar.py`; one more command about runs is an ActionSpec
in `run_actions.py`.
"""
