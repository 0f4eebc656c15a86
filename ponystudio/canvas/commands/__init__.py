"""Everything that menus, keys and palette can ask of the canvas.

May import all of the canvas. Start at `command_table.py`; one more command is a row there.
"""
