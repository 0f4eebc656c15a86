"""What users may choose from when sampling. Torch-free: nodes and checks read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplerSpec:
    """A sampler: a function of this package and what others must know of it.

    `module` of this package has the function, called `name` where `function` is "". `a1111_name`:
    what A1111 calls it. `brownian`: the noise that it takes is increments of a Brownian path; the
    others that take any draw it afresh. `flow`: it also serves models that predict flow.
    """

    name: str
    a1111_name: str
    module: str
    function: str = ""
    brownian: bool = False
    flow: bool = True


# One more sampler is its function and a row here.
SAMPLER_SPECS = (
    SamplerSpec("euler", "Euler", "euler"),
    SamplerSpec("euler_ancestral", "Euler a", "euler"),
    SamplerSpec("heun", "Heun", "euler"),
    SamplerSpec("dpm_2", "DPM2", "euler"),
    SamplerSpec("dpm_2_ancestral", "DPM2 a", "euler"),
    SamplerSpec("lms", "LMS", "euler"),
    SamplerSpec("dpmpp_2m", "DPM++ 2M", "dpmpp"),
    SamplerSpec("dpmpp_2m_sde", "DPM++ 2M SDE", "dpmpp", brownian=True),
    SamplerSpec("dpmpp_sde", "DPM++ SDE", "dpmpp", brownian=True),
    SamplerSpec("dpmpp_2s_ancestral", "DPM++ 2S a", "dpmpp"),
    # In x_σ = x₀ + σ·ε DDIM is Euler's method, and DDPM is its ancestral form: the posterior of the
    # variance-preserving process, of which flow models have none.
    SamplerSpec("ddim", "DDIM", "euler", function="euler"),
    SamplerSpec("ddpm", "DDPM", "euler", function="euler_ancestral", flow=False),
    SamplerSpec("uni_pc", "UniPC", "unipc"),
    SamplerSpec("uni_pc_bh2", "UniPC BH2", "unipc"),
    SamplerSpec("lcm", "LCM", "euler"),
)
SAMPLERS = tuple(spec.name for spec in SAMPLER_SPECS)

# Each schedule with what A1111 calls it; "auto" is the one that suits the model.
A1111_SCHEDULES = {
    "auto": "Automatic",
    "normal": "Normal",
    "karras": "Karras",
    "exponential": "Exponential",
    "sgm_uniform": "SGM Uniform",
    # A1111's Simple takes such steps from a table of a thousand.
    "linear": "Simple",
    "simple": "Simple",
    "ddim_uniform": "DDIM",
    "beta": "Beta",
    "kl_optimal": "KL Optimal",
}
SCHEDULES = tuple(A1111_SCHEDULES)

# Where the noise between steps is drawn: alike on every device, or by the device's own generator.
NOISES = ("cpu", "gpu")

# Where DDIM ends: at σ = 0, or at the first entry of the table, as the first schedulers did.
DDIM_ENDS = ("zero", "alpha0")


def supports(sampler: str, prediction: str) -> bool:
    """Whether a sampler can be used with a model that predicts "eps", "v" or "flow"."""
    known = {spec.name: spec for spec in SAMPLER_SPECS}.get(sampler)
    return known is not None and (known.flow or prediction != "flow")
