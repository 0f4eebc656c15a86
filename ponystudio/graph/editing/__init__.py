"""Edits of graphs and their inverses, undo history, wiring, rewiring, automatic layout.

May import `graph`. Start at `edits.py`. One more edit is a class there and its name in
`formats/edit_codec.py`.
"""
