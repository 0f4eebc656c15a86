"""Paints a scene: cards, wires, overview, backing store.

May import `canvas.scene` and below. Start at `paint_scene.py`.
"""
