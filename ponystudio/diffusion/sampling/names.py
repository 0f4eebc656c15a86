"""What users may choose from when sampling. Torch-free: nodes and checks read it."""

from __future__ import annotations

SAMPLERS = (
    "euler",
    "euler_ancestral",
    "heun",
    "dpm_2",
    "dpm_2_ancestral",
    "lms",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dpmpp_sde",
    "dpmpp_2s_ancestral",
    "ddim",
    "ddpm",
    "uni_pc",
    "uni_pc_bh2",
    "lcm",
)

# "auto" is the one that suits the model.
SCHEDULES = (
    "auto",
    "normal",
    "karras",
    "exponential",
    "sgm_uniform",
    "linear",
    "simple",
    "ddim_uniform",
    "beta",
    "kl_optimal",
)

# Where the noise between steps is drawn: alike on every device, or by the device's own generator.
NOISES = ("cpu", "gpu")

# Where DDIM ends: at σ = 0, or at the first entry of the table, as the first schedulers did.
DDIM_ENDS = ("zero", "alpha0")

# DDPM's posterior is that of the variance-preserving process; flow models have no such chain.
_NOT_FOR_FLOW = frozenset({"ddpm"})


def supports(sampler: str, prediction: str) -> bool:
    """Whether a sampler can be used with a model that predicts "eps", "v" or "flow"."""
    return sampler in SAMPLERS and not (prediction == "flow" and sampler in _NOT_FOR_FLOW)
