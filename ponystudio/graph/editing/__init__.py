"""Edits of graphs and their inverses, undo history, wiring, rewiring, automatic layout.

May import `graph`. Start at `edits.py`; `undo_history.py` is the one undo stack. One more edit is a
class in `edits.py` and its name in `graph/formats/edit_codec.py`.
"""
