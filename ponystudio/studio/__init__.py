"""What is open, running, made, installed and set: QObjects, never a widget.

May import `qt`, `engine.protocol`, and the floors below the engine. Start at
`documents/documents.py` and `runs/runner.py`. A setting is a row in `settings.py`.
"""
