"""The recipe is no part of the application: its folder is put where it can be imported from."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[3] / "packaging"))


@pytest.fixture
def profile():
    """A model so small that it is trained in a second."""
    from starter.profiles import Profile

    return Profile(
        concepts={},
        groups=(),
        styles=("3d", "line art"),
        drawn=2,
        views=1,
        size=64,
        vae_widths=(8, 8, 8, 16),
        vae_steps=2,
        vae_views=2,
        text_width=64,
        text_layers=2,
        text_steps=2,
        widths=(8, 16, 16),
        attention=1,
        heads=2,
        batch=4,
        rate=1e-3,
        samples=16,
    )


@pytest.fixture
def concepts():
    from starter.concepts import Concept

    return [
        Concept(("unicorn", "mystical"), ("animal",), "unicorn", "1f984"),
        Concept(("apple", "red apple"), (), "red-apple", "1f34e"),
    ]


@pytest.fixture
def encoder(profile, concepts):
    import torch
    from starter import captions, text

    torch.manual_seed(0)
    encoder = text.Encoder(profile, captions.tokens(concepts, profile.styles))
    text.initialise(encoder.clip)
    return encoder.eval().requires_grad_(False)
