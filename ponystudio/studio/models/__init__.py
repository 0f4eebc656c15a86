"""Model files that are there, tokens of prompts, presets.

May import `studio.worker` and the floors below the studio. Start at `model_list.py`;
`field_services.py` is what fields on cards may ask of it all.
"""
