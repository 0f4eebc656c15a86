"""Gestures of the mouse, each an object, and the graph operations that they end in.

May import `canvas.palette` and below. Start at `controller.py`; one more gesture is a subclass of
Gesture (`base.py`) and a line of `_choose` there, which says what press begins it.
"""
