"""Registry of actions, command palette, key presets.

May import `canvas` and below. Start at `action_registry.py`.
"""
