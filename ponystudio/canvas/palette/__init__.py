"""The search palette that adds nodes.

May import `canvas.view` and below. Start at `palette.py`.
"""
