"""PonyStudio: a node-graph picture studio for the Pony Diffusion family and its kin.

ARCHITECTURE.md beside this file is the map: packages, journeys, threads, words, decisions.
"""

__version__ = "0.1.0"
