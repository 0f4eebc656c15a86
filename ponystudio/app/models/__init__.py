"""The models page.

May import `app.panels` and below. Start at `models_page.py`.
"""
