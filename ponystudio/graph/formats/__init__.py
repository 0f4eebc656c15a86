"""Files and texts that carry graphs: the graph file, its migrations, the clipboard, metadata of
pictures.

May import `graph` and `graph.editing`. Start at `graph_file.py`. A new version of the file is a
step in `migrations.py`.
"""
