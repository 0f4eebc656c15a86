"""The selected node; the graph when none is.

May import `canvas` and below. Start at `inspector.py`; one more part of a page is a `section`.
"""
