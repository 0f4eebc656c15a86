"""Readers of model files: safetensors, GGUF, torch's pickles, diffusers folders.

Nothing is executed. May import the floors below the library. Start at `weights_file.py`, which
opens a file of any kind; one more kind is a reader and a branch of `_read` there.
"""
