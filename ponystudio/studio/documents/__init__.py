"""An open graph: edits, undo, file, journal, autosave, recent files, templates.

May import `studio.worker` and `studio.models`. Start at `documents.py`, which makes, opens, saves
and closes documents; `editable_graph.py` is how a graph is changed, `journal.py` how nothing of
that is lost. What is said of documents stands in `document_notices.py`. One more
shipped template is a graph in `resources/graphs`.
"""
