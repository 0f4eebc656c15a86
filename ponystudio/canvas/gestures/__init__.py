"""Gestures of the mouse, each an object, and the graph operations that they end in.

May import `canvas.palette` and below. Start at `controller.py`; one more gesture is a module and
a row there.
"""
