"""Picture files without torch and without Qt, decoded by a process of their own without rights.

Start at `picture_reader.py`, which asks that process, or at `reader_main.py`, which is it. What it
decodes with (`picture_decoder.py`, `colour.py`) nobody else imports. One more way in which files
tell their colours is a function like `_cicp` in `colour.py`, in `_TELLERS`.
"""
