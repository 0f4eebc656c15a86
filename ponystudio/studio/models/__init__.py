"""Model files that are there, tokens of prompts, presets.

May import `studio.worker` and the floors below the studio. Start at `model_list.py`.
"""
