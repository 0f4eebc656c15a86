"""How each kind of param is painted and edited on a card.

Talks to a `Host` protocol and knows no scene. Start at `base.py`; one more kind is a module with a
`Field` and a row in `registry.py`, and nothing else.
"""
