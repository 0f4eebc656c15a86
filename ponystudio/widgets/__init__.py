"""The design system: theme, style sheet, primitives, small widgets. Knows no graph.

May import `qt` and Qt. Start at `theme.py`, whose colours and icons are in `resources/look.json`;
one more widget is a module here, dressed in `style_sheet.py`.
"""
