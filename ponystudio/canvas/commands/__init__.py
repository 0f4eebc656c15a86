"""Everything that menus, keys and palette can ask of the canvas.

May import all of the canvas. Start at `command_table.py`: one more command is a row there, and a
method where what it does is (`edit_commands.py`, `selection_commands.py`).
"""
