"""What users may choose from when sampling. Torch-free: nodes and checks read it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ponystudio.errors import ParamChoice


@dataclass(frozen=True)
class SamplerSpec:
    """A sampler: a function of this package and what others must know of it.

    `module` of this package has the function, called `name` where `function` is "". `options`:
    which of its keywords may be chosen; "s_noise", the strength of its noise, where it takes any;
    "end", one of DDIM_ENDS. `brownian`: that noise is increments of a Brownian path, the others
    draw it afresh; `gpu`: drawn by the device's own generator. `unguided`: it needs what the
    negative prompt alone gives, too.
    `orders`: the least and the highest, where that may be chosen; `most_eta`: the highest of that,
    where beyond it there are no levels for its steps. `reverses`: it also goes from a
    picture to its noise. `flow`: it also serves models that predict flow.
    """

    name: str
    module: str
    function: str = ""
    options: tuple[str, ...] = ()
    brownian: bool = False
    gpu: bool = False
    unguided: bool = False
    orders: tuple[int, int] = (1, 4)
    most_eta: float = 100.0
    reverses: bool = False
    flow: bool = True


_FRESH = ("eta", "s_noise")


def _sde(name: str, *options: str) -> tuple[SamplerSpec, SamplerSpec]:
    """A sampler of dpmpp.py by a Brownian path, and the same with the path drawn on the GPU."""
    spec = SamplerSpec(name, "dpmpp", name, (*_FRESH, *options), brownian=True)
    return spec, replace(spec, name=f"{name}_gpu", gpu=True)


# One more sampler is its function and a row here, and one of what A1111 calls it in
# graph/generation/a1111_names.py.
SAMPLER_SPECS = (
    SamplerSpec("euler", "euler", reverses=True),
    SamplerSpec("euler_cfg_pp", "cfg_pp", unguided=True),
    SamplerSpec("euler_ancestral", "euler", options=_FRESH),
    SamplerSpec("euler_ancestral_cfg_pp", "cfg_pp", options=_FRESH, unguided=True),
    SamplerSpec("heun", "euler", reverses=True),
    SamplerSpec("heunpp2", "euler"),
    SamplerSpec("dpm_2", "euler", reverses=True),
    SamplerSpec("dpm_2_ancestral", "euler", options=_FRESH),
    SamplerSpec("lms", "multistep", options=("order",), reverses=True),
    SamplerSpec("dpm_fast", "dpm_solver", options=_FRESH, most_eta=1.0),
    SamplerSpec(
        "dpm_adaptive",
        "dpm_solver",
        options=(*_FRESH, "order"),
        orders=(2, 3),
        most_eta=1.0,
    ),
    SamplerSpec("dpmpp_2m", "dpmpp", reverses=True),
    SamplerSpec("dpmpp_2m_cfg_pp", "cfg_pp", unguided=True),
    *_sde("dpmpp_2m_sde", "solver"),
    *_sde("dpmpp_2m_sde_heun"),
    *_sde("dpmpp_3m_sde"),
    *_sde("dpmpp_sde", "r"),
    SamplerSpec("dpmpp_2s_ancestral", "dpmpp", options=_FRESH),
    SamplerSpec("dpmpp_2s_ancestral_cfg_pp", "cfg_pp", options=_FRESH, unguided=True),
    # In x_σ = x₀ + σ·ε DDIM is Euler's method, and DDPM is its ancestral form: the posterior of the
    # variance-preserving process, of which flow models have none.
    SamplerSpec("ddim", "euler", options=("end", "eta"), most_eta=1.0, reverses=True),
    SamplerSpec("ddpm", "euler", function="euler_ancestral", flow=False),
    SamplerSpec("plms", "multistep"),
    SamplerSpec("uni_pc", "unipc"),
    SamplerSpec("uni_pc_bh2", "unipc"),
    SamplerSpec("ipndm", "multistep", options=("order",)),
    SamplerSpec("ipndm_v", "multistep", options=("order",)),
    SamplerSpec("deis", "multistep", options=("order",), orders=(1, 3)),
    SamplerSpec("res_multistep", "multistep"),
    SamplerSpec("res_multistep_cfg_pp", "cfg_pp", unguided=True),
    SamplerSpec("res_multistep_ancestral", "multistep", options=_FRESH),
    SamplerSpec(
        "res_multistep_ancestral_cfg_pp",
        "cfg_pp",
        options=_FRESH,
        unguided=True,
    ),
    SamplerSpec("gradient_estimation", "multistep"),
    SamplerSpec("gradient_estimation_cfg_pp", "cfg_pp", unguided=True),
    SamplerSpec("er_sde", "sde", options=("s_noise", "order"), orders=(1, 3)),
    SamplerSpec("seeds_2", "sde", options=(*_FRESH, "r")),
    SamplerSpec("seeds_3", "sde", options=_FRESH),
    SamplerSpec("sa_solver", "sde", options=_FRESH),
    SamplerSpec("sa_solver_pece", "sde", options=_FRESH),
    SamplerSpec("lcm", "euler", options=("s_noise",)),
    SamplerSpec("tcd", "euler", options=_FRESH),
)
SAMPLERS = tuple(spec.name for spec in SAMPLER_SPECS)
_REVERSING = [spec.name for spec in SAMPLER_SPECS if spec.reverses]
# What to do about noise levels that rise.
LET_FALL = (
    "Let them fall; from first to last they may rise only with"
    f" {', '.join(_REVERSING[:-1])} or {_REVERSING[-1]}, which then go from a picture to its noise."
)


def find_sampler(name: str) -> SamplerSpec:
    """The row of that name. Raises ParamChoice."""
    for spec in SAMPLER_SPECS:
        if spec.name == name:
            return spec
    raise ParamChoice(
        f"There is no {name!r} to choose.",
        remedy=f"Choose one of: {', '.join(spec.name for spec in SAMPLER_SPECS)}.",
        socket="sampler",
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
    "linear_quadratic",
    "align_your_steps",
    "polyexponential",
)

# What "auto" means by A1111's rules: the schedule that belongs to the sampler; "normal" to others.
A1111_AUTOMATIC = {
    **dict.fromkeys(
        (
            *("dpm_2", "dpm_2_ancestral", "dpmpp_2m", "dpmpp_2s_ancestral"),
            *("dpmpp_sde", "dpmpp_sde_gpu"),
        ),
        "karras",
    ),
    **dict.fromkeys(
        (
            *("dpmpp_2m_sde", "dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu"),
            *("dpmpp_3m_sde", "dpmpp_3m_sde_gpu"),
        ),
        "exponential",
    ),
}

# Of which generator noise is: one that is alike on every device, the device's own, or that of an
# NVIDIA card on every device.
NOISES = ("cpu", "gpu", "nvidia")

# As whose program a run goes: ComfyUI, or A1111's web UI; that takes, below `denoise` 1, the share
# of the steps, and in the second pass of its Hires. fix all of them.
RULES = ("comfyui", "a1111", "a1111_hires")

# Where DDIM ends: at σ = 0, or at the first entry of the table, as the first schedulers did.
DDIM_ENDS = ("zero", "alpha0")


# What DPM++ 2M SDE takes for the D of a step: that of its middle, or the mean of its ends.
SOLVERS = ("midpoint", "heun")

# How a guider goes from one prompt over a second to the third.
DUAL_STYLES = ("regular", "nested")
