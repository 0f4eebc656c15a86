"""Where test data lies."""

from __future__ import annotations

from pathlib import Path

# Schedules, noises, tokens and latents of the peer whose pictures a shared seed reproduces.
PARITY = Path(__file__).parents[1] / "data" / "parity"
