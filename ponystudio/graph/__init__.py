"""A graph as frozen values: model, topology, validation, result keys, catalog of node kinds.

May import `api` and `errors`. Start at `model.py`. `editing` changes graphs, `formats` reads and
writes them, `comfyui` and `generation` read what other programs write; none is known here.
"""
