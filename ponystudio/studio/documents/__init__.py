"""An open graph: edits, undo, file, journal, autosave, recent files, templates.

May import `studio.worker` and `studio.models`. Start at `document.py`.
"""
