"""What A1111 and its kin call samplers, schedules and ways to enlarge, and what those are here."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Ours to theirs. One more sampler of ours has a row here, so that pictures can say its name.
SAMPLERS: Mapping[str, str] = {
    "euler": "Euler",
    "euler_cfg_pp": "Euler CFG++",
    "euler_ancestral": "Euler a",
    "euler_ancestral_cfg_pp": "Euler a CFG++",
    "heun": "Heun",
    "heunpp2": "HeunPP2",
    "dpm_2": "DPM2",
    "dpm_2_ancestral": "DPM2 a",
    "lms": "LMS",
    "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive",
    "dpmpp_2m": "DPM++ 2M",
    "dpmpp_2m_cfg_pp": "DPM++ 2M CFG++",
    "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun",
    "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_sde": "DPM++ SDE",
    "dpmpp_2s_ancestral": "DPM++ 2S a",
    "dpmpp_2s_ancestral_cfg_pp": "DPM++ 2S a CFG++",
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "plms": "PLMS",
    "uni_pc": "UniPC",
    "uni_pc_bh2": "UniPC BH2",
    "ipndm": "IPNDM",
    "ipndm_v": "IPNDM_V",
    "deis": "DEIS",
    "res_multistep": "Res Multistep",
    "res_multistep_cfg_pp": "Res Multistep CFG++",
    "res_multistep_ancestral": "Res Multistep a",
    "res_multistep_ancestral_cfg_pp": "Res Multistep a CFG++",
    "gradient_estimation": "Gradient Estimation",
    "gradient_estimation_cfg_pp": "Gradient Estimation CFG++",
    "er_sde": "ER SDE",
    "seeds_2": "SEEDS 2",
    "seeds_3": "SEEDS 3",
    "sa_solver": "SA Solver",
    "sa_solver_pece": "SA Solver PECE",
    "lcm": "LCM",
    "tcd": "TCD",
}
# "auto" is the schedule that suits the model; by A1111's rules that which belongs to the sampler.
SCHEDULES: Mapping[str, str] = {
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
    "linear_quadratic": "Linear Quadratic",
    "align_your_steps": "Align Your Steps",
    "polyexponential": "Polyexponential",
}
# Other spellings: of A1111's kin, of stable-diffusion.cpp, and of old versions.
_SAMPLER_ALIASES: Mapping[str, str] = {
    "euler_a": "euler_ancestral",
    "euler ancestral": "euler_ancestral",
    "k_euler_a": "euler_ancestral",
    "k_euler_ancestral": "euler_ancestral",
    "k_euler": "euler",
    "k_heun": "heun",
    "k_lms": "lms",
    "k_dpm_2": "dpm_2",
    "k_dpm_2_a": "dpm_2_ancestral",
    "k_dpm_2_ancestral": "dpm_2_ancestral",
    "dpm2": "dpm_2",
    "dpm2 a": "dpm_2_ancestral",
    "dpm++ 2s": "dpmpp_2s_ancestral",
    "dpm++2s_a": "dpmpp_2s_ancestral",
    "dpm++2m": "dpmpp_2m",
    "dpm++ 2m sde gpu": "dpmpp_2m_sde_gpu",
    "dpm++ sde gpu": "dpmpp_sde_gpu",
    "ddim_trailing": "ddim",
    "unipc": "uni_pc",
    "uni-pc": "uni_pc",
}
_SCHEDULE_ALIASES: Mapping[str, str] = {
    "uniform": "normal",
    "discrete": "normal",
    "default": "normal",
    "simple": "simple",
    "ays": "align_your_steps",
    "align your steps": "align_your_steps",
}
# Latents are enlarged so; the others enlarge pictures.
LATENT_UPSCALERS: Mapping[str, str] = {
    "Latent": "bilinear",
    "Latent (bicubic)": "bicubic",
    "Latent (nearest-exact)": "nearest-exact",
}
PICTURE_UPSCALERS: Mapping[str, str] = {
    "None": "lanczos",
    "Lanczos": "lanczos",
    "Nearest": "nearest-exact",
}

# Upscalers that it names otherwise than their files; those for drawings ship with PonyStudio.
UPSCALERS: Mapping[str, str] = {
    "R-ESRGAN 4x+": "RealESRGAN_x4plus",
    "R-ESRGAN 4x+ Anime6B": "realesrgan-x4plus-anime",
    "R-ESRGAN 2x+": "RealESRGAN_x2plus",
    "R-ESRGAN General 4xV3": "realesr-general-x4v3",
    "R-ESRGAN General WDN 4xV3": "realesr-general-wdn-x4v3",
    "R-ESRGAN AnimeVideo": "realesr-animevideov3-x4",
}

_DRAWS_A_PATH = re.compile(r"dpmpp_\w*sde")
_SUFFIX = re.compile(r"[ _](?P<schedule>karras|exponential|polyexponential|sgm uniform)\Z")


def a1111_sampler(name: str) -> str:
    """What A1111 calls a sampler of ours; ours where it has no name for it."""
    return SAMPLERS.get(name.removesuffix("_gpu"), name)


def a1111_upscaler(stem: str) -> str:
    """What A1111 calls an upscaler's file, without its suffix."""
    return next((theirs for theirs, ours in UPSCALERS.items() if ours == stem), stem)


def sampler_of(text: str) -> tuple[str, str]:
    """A sampler of ours by what another program calls it, and the schedule that the same name may
    say ("DPM++ 2M Karras"); "" for what is not known."""
    word = text.strip().lower()
    if (name := _BY_NAME.get(word)) is not None:
        return name, ""
    if (end := _SUFFIX.search(word)) is not None:
        return _BY_NAME.get(word[: end.start()], ""), schedule_of(end["schedule"])
    return "", ""


def schedule_of(text: str) -> str:
    """A schedule of ours by what another program calls it; "" for what is not known."""
    return _BY_SCHEDULE.get(text.strip().lower(), "")


_BY_NAME: Mapping[str, str] = {
    **{name: name for name in SAMPLERS},
    **{f"{name}_gpu": f"{name}_gpu" for name in SAMPLERS if _DRAWS_A_PATH.match(name)},
    **{theirs.lower(): name for name, theirs in SAMPLERS.items()},
    **_SAMPLER_ALIASES,
}
_BY_SCHEDULE: Mapping[str, str] = {
    **{name: name for name in SCHEDULES},
    **{theirs.lower(): name for name, theirs in SCHEDULES.items()},
    **_SCHEDULE_ALIASES,
}
