"""Where test data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Schedules, noises, tokens and latents of ComfyUI, whose pictures a shared seed reproduces.
PARITY = Path(__file__).parents[1] / "data" / "parity"

# Published models, pictures and workflows that may not ship with the project.
DATA = Path(os.environ.get("PONYSTUDIO_TEST_DATA", "unset"))
needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="PONYSTUDIO_TEST_DATA names no folder of published files"
)
