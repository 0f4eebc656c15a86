"""The view: camera, events to handlers, editors over the canvas, accessibility.

May import `canvas.painting` and below. Start at `view.py`; one more part that takes events is an
EventHandler, given to `set_handlers` there.
"""
