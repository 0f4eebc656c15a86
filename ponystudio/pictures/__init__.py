"""Picture files without torch and without Qt: what the numbers in them mean.

May import `graph` and below. Start at `colour.py`; one more way in which files tell their colours
is a function like `_cicp_chunk` there, in `_TELLERS`.
"""
