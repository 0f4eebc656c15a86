"""The composition root: layout, tabs, rail, pages, drops, dialogs.

May import all of the app. Start at `main_window.py`.
"""
