"""Viewer, compare, filmstrip, grid, strip of results.

May import `canvas` and below. Start at `gallery.py`.
"""
