"""The design system: theme, style sheet, primitives, small widgets. Knows no graph.

May import `qt` and Qt. Start at `theme.py`.
"""
