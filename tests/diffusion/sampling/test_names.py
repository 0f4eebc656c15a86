import inspect
import subprocess
import sys

import pytest

from ponystudio.diffusion.sampling import euler, names
from ponystudio.diffusion.sampling import samplers as functions
from ponystudio.diffusion.sampling.names import (
    SAMPLER_SPECS,
    SAMPLERS,
    SCHEDULES,
    SamplerSpec,
    find_sampler,
)
from ponystudio.diffusion.sampling.samplers import samplers
from ponystudio.diffusion.sampling.schedules import SCHEDULES as LEVELS_OF
from ponystudio.errors import ParamChoice


def test_every_name_has_its_mathematics_and_no_more():
    assert tuple(samplers()) == SAMPLERS
    assert all(map(callable, samplers().values()))
    assert set(SCHEDULES) == {"auto", *LEVELS_OF}


@pytest.mark.parametrize("spec", SAMPLER_SPECS, ids=lambda spec: spec.name)
def test_what_may_be_chosen_is_what_the_function_takes(spec):
    takes = inspect.signature(samplers()[spec.name]).parameters
    assert {name for name in spec.options if name not in ("s_noise", "end")} <= set(takes)
    assert ("eta" in takes) == ("eta" in spec.options) or spec.name == "ddpm"


def test_auto_is_offered_first():
    assert SCHEDULES[0] == "auto"


def test_all_but_the_posterior_of_a_chain_serve_flow():
    assert [spec.name for spec in SAMPLER_SPECS if not spec.flow] == ["ddpm"]


def test_an_unknown_sampler_is_named_with_those_there_are():
    with pytest.raises(ParamChoice, match="eular") as caught:
        find_sampler("eular")
    assert "dpmpp_3m_sde_gpu" in caught.value.remedy


@pytest.fixture
def toy(monkeypatch):
    """One more row, of a function that is there."""
    spec = SamplerSpec("toy", "euler", function="heun", flow=False)
    for module in (names, functions):
        monkeypatch.setattr(module, "SAMPLER_SPECS", (*SAMPLER_SPECS, spec))
    samplers.cache_clear()
    yield spec
    samplers.cache_clear()


def test_a_row_is_all_that_a_function_needs_to_be_a_sampler(toy):
    assert samplers()["toy"] is euler.heun
    assert list(samplers())[-1] == "toy"
    assert find_sampler("toy") is toy


def test_names_load_no_torch():
    code = "import sys, ponystudio.diffusion.sampling.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
