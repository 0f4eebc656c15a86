"""ComfyUI's graphs as graphs of ours, with all that they say, and the way back.

Start at `importer.py`: it reads either form (`api_format.py`, `workflow_format.py`) into a
SourceGraph and asks the mappings what its nodes are here; of others placeholders stand in. One more
node of theirs is a row in a module of `mappings/`; that it only wires others is one of
`mappings/wiring_packs.py`, that it is there in the editor alone a name in `virtual_nodes.py`.
`exporting/` leads back by the same mappings; what was not changed stays as it was. Nothing here
runs code of a file or reaches a network.
"""
