"""The samplers by name, each with the kind of fresh noise it takes."""

from __future__ import annotations

from ponystudio.diffusion.sampling import dpmpp, euler, unipc
from ponystudio.diffusion.sampling.process import Sampler

SAMPLERS: dict[str, Sampler] = {
    "euler": euler.euler,
    "euler_ancestral": euler.euler_ancestral,
    "heun": euler.heun,
    "dpm_2": euler.dpm_2,
    "dpm_2_ancestral": euler.dpm_2_ancestral,
    "lms": euler.lms,
    "dpmpp_2m": dpmpp.dpmpp_2m,
    "dpmpp_2m_sde": dpmpp.dpmpp_2m_sde,
    "dpmpp_sde": dpmpp.dpmpp_sde,
    "dpmpp_2s_ancestral": dpmpp.dpmpp_2s_ancestral,
    # In x_σ = x₀ + σ·ε DDIM is Euler's method, and DDPM is its ancestral form.
    "ddim": euler.euler,
    "ddpm": euler.euler_ancestral,
    "uni_pc": unipc.uni_pc,
    "uni_pc_bh2": unipc.uni_pc_bh2,
    "lcm": euler.lcm,
}

# These take increments of a Brownian path; the others that take noise draw it afresh.
BROWNIAN = frozenset({"dpmpp_2m_sde", "dpmpp_sde"})
