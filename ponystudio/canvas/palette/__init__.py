"""The search palette that adds nodes.

May import `canvas.view` and below. Start at `palette.py`; what it offers is made in
`palette_entries.py`.
"""
