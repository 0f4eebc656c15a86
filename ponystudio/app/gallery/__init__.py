"""Viewer, compare, filmstrip, grid, strip of results.

May import `canvas` and below. Start at `gallery.py`. One more thing to do with pictures is a method
of `studio/results/picture_actions.py` and an entry in `picture_view.py`.
"""
