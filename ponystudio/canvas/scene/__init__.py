"""Items, their layout, hit test and focus; follows a document.

May import `canvas.fields`. Start at `scene.py`.
"""
