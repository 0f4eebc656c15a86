"""The sampling node and its helpers, called as functions."""

from __future__ import annotations

from ponystudio.api import Model
from ponystudio.diffusion.loading.load import SHIFT
from ponystudio_nodes.sampling import set_shift


def test_the_last_shift_counts_and_other_options_stay():
    model = Model("/m", "m", "auraflow", options=(("prediction", "v"),))
    once = set_shift(model, shift=3.0)
    assert once.options == (("prediction", "v"), (SHIFT, 3.0))
    assert set_shift(once, shift=1.0).options == (("prediction", "v"), (SHIFT, 1.0))
