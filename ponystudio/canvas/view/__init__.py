"""The view: camera, events to handlers, editors over the canvas, accessibility.

May import `canvas.painting` and below. Start at `view.py`.
"""
