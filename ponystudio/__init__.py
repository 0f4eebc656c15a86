"""PonyStudio: a node-graph picture studio for the Pony Diffusion family and its kin."""

__version__ = "0.1.0"
