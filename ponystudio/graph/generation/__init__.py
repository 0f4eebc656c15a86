"""What other programs write of how a picture was made, and the graph of it.

`generation_params.py` is where to start: whatever the writer, its text becomes a GenerationParams,
of which `generation_graph.py` makes a graph. One more writer is a module that reads its text and
gives such params, and its row in `generation_reading.py`; nothing here runs code or reaches a
network.
"""
