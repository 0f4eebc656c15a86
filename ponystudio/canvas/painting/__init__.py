"""Paints a scene: cards, wires, overview, backing store.

May import `canvas.scene` and below. Start at `paint_scene.py`. What is new on a card gets its place
in `canvas/scene/card_layout.py`, is painted in `paint_card.py` and, if it is to be seen from afar,
in `paint_overview.py`.
"""
