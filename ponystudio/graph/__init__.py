"""A graph as frozen values: model, topology, validation, result keys, catalog of node kinds.

May import `api` and `errors`. Start at `model.py`. `editing` changes graphs, `formats` reads and
writes them; neither is known here.
"""
