"""Params on a card: how each kind is painted and edited in place."""
