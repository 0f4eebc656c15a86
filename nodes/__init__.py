"""The built-in nodes, declared through the same entry point and API as anybody's.

May import `ponystudio.api`, `ponystudio.library` and `ponystudio.diffusion`. Start at
`sampling.py`; one more node is a decorated function in the module of its kind, and
`packaging/write_catalog.py` run.
"""

if __name__ != "ponystudio_nodes":
    raise ImportError("import ponystudio_nodes, the name under which these nodes are installed")
