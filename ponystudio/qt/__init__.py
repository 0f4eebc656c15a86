"""Qt helpers without a widget: translation, background tasks, notifications as data.

May import `errors` and Qt, but no QtWidgets. Start at `background_tasks.py`.
"""
