"""The models page.

May import `app.panels` and below. Start at `models_page.py`. What is known of a file comes from
`studio/models`; what may be done with one is in `model_actions.py`.
"""
