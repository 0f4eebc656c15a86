"""Settings panel and the editor of shortcuts.

May import `app.actions` and below. Start at `settings_panel.py`.
"""
