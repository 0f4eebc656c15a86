"""Graphs of ours as graphs of ComfyUI: start at `exporter.py`.

By the mappings (`export_mapping.py`) a graph becomes nodes of theirs (`target_graph.py`), which
`workflow_writer.py` and `graph/comfyui/api_format.py` write. Of a graph that came from there,
what was not changed stays as it was (`kept_source.py`, `standing_parts.py`); one that went there
and was not changed comes back as it was (`own_graph.py`).
"""
