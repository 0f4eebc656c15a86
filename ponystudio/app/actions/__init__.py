"""Registry of actions, command palette, key presets.

May import `canvas` and below. Start at `action_registry.py`. One more command of the window is an
ActionSpec in `app/window/window_actions.py`, one about runs in `app/queue/run_actions.py`; one
more set of keys is an entry of `PRESETS` in `action_registry.py`.
"""
