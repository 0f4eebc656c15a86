from __future__ import annotations

from ponystudio.diffusion.sampling.names import SAMPLER_SPECS
from ponystudio.diffusion.sampling.names import SCHEDULES as OURS
from ponystudio.graph.generation.a1111_names import (
    SAMPLERS,
    SCHEDULES,
    a1111_sampler,
    sampler_of,
    schedule_of,
)


def test_every_sampler_has_a_name_of_its_own_in_a1111s_words():
    """Those that draw on the GPU are the same there, where that is the rule."""
    assert set(SAMPLERS) == {spec.name for spec in SAMPLER_SPECS if not spec.gpu}
    assert len(set(SAMPLERS.values())) == len(SAMPLERS)
    for spec in SAMPLER_SPECS:
        theirs = a1111_sampler(spec.name)
        assert theirs == SAMPLERS[spec.name.removesuffix("_gpu")]
        assert sampler_of(theirs) == (spec.name.removesuffix("_gpu"), "")
        assert sampler_of(spec.name) == (spec.name, "")


def test_every_schedule_has_one():
    assert set(SCHEDULES) == set(OURS)
    for name, theirs in SCHEDULES.items():
        assert schedule_of(theirs) == ("simple" if name == "linear" else name)


def test_what_nobody_knows_is_nothing():
    assert sampler_of("Restart") == sampler_of("") == ("", "")
    assert sampler_of("Restart Karras") == ("", "karras")
    assert schedule_of("Turbo") == ""
