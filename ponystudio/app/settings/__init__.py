"""Settings panel and the editor of shortcuts.

May import `app.actions` and below. Start at `settings_panel.py`. One more setting is a row of
`studio/settings.py`: the panel shows every row that has a section.
"""
