"""The composition root: layout, tabs, rail, pages, drops, dialogs.

May import all of the app. Start at `main_window.py`, which makes the parts in order and connects
them by signals; no part knows the window. `services.py` has what has no widget. One more panel is a
row of `panel_registry.py`, one more command an ActionSpec in `window_actions.py`.
"""
