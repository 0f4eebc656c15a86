"""The built-in nodes, declared through the same entry point and API as anybody's."""

if __name__ != "ponystudio_nodes":
    raise ImportError("import ponystudio_nodes, the name under which these nodes are installed")
