"""The window and what stands in it.

May import everything below. Start at `window/main_window.py`. Rooms, each knowing only those
before it: `gallery`, `queue`, `inspector` and `actions`; `settings`; `panels`; `models`; `window`.
"""
