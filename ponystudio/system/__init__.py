"""What the operating system gives: ordinary files, names of files, free memory;
and JSON within bounds. Everything may import it.

Start at `regular_file.py`: whatever names a file that a stranger chose is opened by it alone.
"""
