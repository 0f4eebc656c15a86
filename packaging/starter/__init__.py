"""The recipe of the starter model: small pictures from words, made from permissive emoji.

    python packaging/starter/make.py --profile cpu

`make.py` runs the stages one after the other; each is a module of its own that keeps what it made
in the work folder (build/starter), so that a second run goes on where the first stopped.
"""
