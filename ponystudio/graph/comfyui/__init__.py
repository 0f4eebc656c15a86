"""ComfyUI's graphs as graphs of ours, with all that they say.

`importer.py` is where to start: it reads either form (`api_format.py`, `workflow_format.py`) into a
SourceGraph, asks the mappings what its nodes are here (of others placeholders stand in), and has
`arrangement.py` place their cards, which are larger than theirs. One
more node of theirs is a row in a module of `mappings/`; that it only wires others is one of
`mappings/wiring_packs.py`, that it is there in the editor alone a name in `virtual_nodes.py`.
Nothing here runs code of a file or reaches a network.
"""
