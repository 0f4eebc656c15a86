"""ComfyUI's graphs as graphs of ours, with all that they say.

`importer.py` is where to start: it reads either form (`api_format.py`, `workflow_format.py`) into a
SourceGraph, asks the mappings what its nodes are here (of others placeholders stand in), and has
`arrangement.py` place their cards, which are larger than theirs. One
more node of theirs is a row in a module of `mappings/`; that it only wires others is one of
`mappings/wiring_packs.py`, that it is there in the editor alone a name in `virtual_nodes.py`.
Nothing here runs code of a file or reaches a network.

The way back begins in `exporter.py`: by the same mappings (`export_mapping.py`) a graph becomes
nodes of theirs (`target_graph.py`), which `api_format.py` and `workflow_writer.py` write. Of a
graph that came from there, what was not changed stays as it was (`kept_source.py`,
`standing_parts.py`).
"""
