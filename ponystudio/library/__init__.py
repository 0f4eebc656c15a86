"""Model files without torch: folders, index, checks, conversion.

May import `graph`, `api` and `errors`. Start at `model_folders.py`, which also has the table of
other programs' folders; which model a file holds is said by `recognition`, how its bytes are read
by `formats`.
"""
