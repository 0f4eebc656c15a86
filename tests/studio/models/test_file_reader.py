"""What is read from the files that params name."""

from __future__ import annotations

from ponystudio.library.recognition.denoiser_signatures import PURPOSES
from ponystudio.studio.models.file_reader import made_for


def test_what_a_model_was_made_for_is_what_the_library_says():
    """In the words of the app; most models take in a latent alone and were made for none of it."""
    assert all(made_for(channels) for channels in PURPOSES)
    assert made_for(9) == made_for(96) == "inpainting"
    assert made_for(4) == made_for(0) == ""
