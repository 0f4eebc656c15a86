"""Panels beside the canvas: nodes, templates, log, help, about.

May import `app.settings` and below. One more panel is a module here and a row in
`app/window/panel_registry.py`.
"""
