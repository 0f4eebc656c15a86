import subprocess
import sys

from ponystudio.diffusion.sampling.names import (
    A1111_SCHEDULES,
    SAMPLER_SPECS,
    SAMPLERS,
    SCHEDULES,
    supports,
)
from ponystudio.diffusion.sampling.samplers import BROWNIAN, samplers
from ponystudio.diffusion.sampling.schedules import SCHEDULES as LEVELS_OF


def test_every_name_has_its_mathematics_and_no_more():
    assert tuple(samplers()) == SAMPLERS
    assert all(map(callable, samplers().values()))
    assert set(SCHEDULES) == {"auto", *LEVELS_OF}
    assert set(SAMPLERS) >= BROWNIAN


def test_every_sampler_has_a_name_of_its_own_in_a1111s_words():
    assert len({spec.a1111_name for spec in SAMPLER_SPECS}) == len(SAMPLERS)
    assert set(A1111_SCHEDULES) == set(SCHEDULES)


def test_auto_is_offered_first():
    assert SCHEDULES[0] == "auto"


def test_every_sampler_serves_eps_and_v():
    assert all(supports(sampler, kind) for sampler in SAMPLERS for kind in ("eps", "v"))


def test_ddpm_is_refused_for_flow_and_euler_is_not():
    assert not supports("ddpm", "flow")
    assert supports("euler", "flow")


def test_an_unknown_sampler_is_supported_by_nothing():
    assert not supports("eular", "eps")


def test_names_load_no_torch():
    code = "import sys, ponystudio.diffusion.sampling.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
