"""How a network's output becomes a picture without noise, D(x, σ), at every noise level σ.

Two worlds, one interface. VP ("variance preserving", Ho et al. 2020; v: Salimans & Ho 2022) is
used in the coordinates of Karras et al. 2022, x_σ = x₀ + σ·ε; Flow (Lipman et al. 2022) mixes,
x_σ = (1−σ)·x₀ + σ·ε. Both are x_σ = α(σ)·x₀ + σ·ε, and samplers that are written with α and
λ = log(α/σ) hold in both.

σ is a 0-dimensional float64 tensor on the CPU throughout. It mixes with tensors of any device as a
number does, so what is computed of it rounds once, where it meets a picture, and every CPU has the
same numbers: the last bits of float32 functions differ from one to the next. The levels of tables
and schedules are rounded to float32, as in ComfyUI and A1111, whose pictures we match; what lies
between is rounded as there only where the nearest step of the training may hang on it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from ponystudio.api.modifiers import A1111Rules, Modifier, Predicts, Shift, find
from ponystudio.diffusion.families import Betas, Family

# ᾱ of the last step of a zero-SNR table, which would divide by zero: σ_max ≈ 4518.8.
_ALMOST_ZERO_SNR = 4.8973451890853435e-08

# Of the levels of the training, those that a latent consistency model was distilled to.
_DISTILLED_LEVELS = 50

# Flow models have λ = −∞ at σ = 1; samplers in λ start this fraction of the time later.
_FLOW_OFFSET = 1e-4


# ComfyUI's table for flow models that are told their guidance; that of the others has 1000 steps.
FINE_STEPS = 10_000


class Predictor(Protocol):
    """What a denoiser says of itself. `prediction`: "eps", "v" or "flow". `guided`: it is told its
    guidance. `modifiers`: what changes it while it samples.
    """

    @property
    def family(self) -> Family: ...
    @property
    def prediction(self) -> str: ...
    @property
    def zsnr(self) -> bool: ...
    @property
    def guided(self) -> bool: ...
    @property
    def modifiers(self) -> tuple[Modifier, ...]: ...


def of(denoiser: Predictor, cells: int) -> Parameterisation:
    """The parameterisation that a denoiser was trained in, for latents of so many cells."""
    family = denoiser.family
    if denoiser.prediction == "flow":
        said = find(denoiser.modifiers, Shift)
        if family.bending is None or not denoiser.guided:
            return Flow(said.a if said else family.flow_shift, family.flow_time)
        tokens = math.ceil(cells / family.patch**2)
        shift = said.a if said else family.bending.shift(tokens)
        return Flow(shift, family.flow_time, FINE_STEPS)
    prediction, zsnr, kind = denoiser.prediction, denoiser.zsnr, VP
    if other := find(denoiser.modifiers, Predicts):
        if other.counted != "table":
            return Continuous(other.answer, other.counted, other.sigma_max, other.sigma_min)
        prediction, zsnr = other.answer, other.zsnr
        kind = Distilled if other.answer == "lcm" else VP
    rules = find(denoiser.modifiers, A1111Rules)
    return kind(
        prediction,
        zsnr=zsnr or bool(rules and rules.zero_snr),
        betas=family.betas,
        aligned=family.aligned,
        half=bool(rules and rules.half_alphas),
        fractional=bool(rules and not rules.quantized),
    )


class Parameterisation(ABC):
    """Noise levels of a model, and what σ means for it.

    `prediction`: "eps", "v" or "flow", or what Predicts knows besides. `table`: the σ of each
    training step, ascending, as `rounded` gives them. `end`, `begin`: the times of most and of no
    noise, that `sigma` takes. `aligned` is that of Family.
    """

    prediction: str
    table: Tensor
    end: float
    begin: float = 0.0
    aligned: tuple[float, ...] = ()

    @property
    def sigma_min(self) -> Tensor:
        return self.table[0]

    @property
    def sigma_max(self) -> Tensor:
        return self.table[-1]

    # Time, as the network counts it

    @abstractmethod
    def t(self, σ: Tensor) -> Tensor:
        """The network's time of σ, as it takes it: a 0-dimensional float32 tensor."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """σ of float64 times that need not be whole; inverse of `t` but for its rounding."""

    def sigma_at(self, share: float) -> float:
        """σ where this share, 0..1, of a whole run lies behind, even in the network's time: what an
        entry or a control begins and ends at. Infinite at 0, and 0 at 1."""
        if share <= 0:
            return math.inf
        if share >= 1:
            return 0.0
        return float(self.sigma(torch.tensor((1 - share) * self.end, dtype=torch.float64)))

    @abstractmethod
    def at_share(self, σ: Tensor, share: float) -> Tensor:
        """The noise level at that share, 0..1, of the network's time of σ; 0 is no noise."""

    # The network

    @abstractmethod
    def input_scale(self, σ: Tensor) -> Tensor:
        """The network is shown x divided by this."""

    @abstractmethod
    def denoised(self, x: Tensor, output: Tensor, σ: Tensor) -> Tensor:
        """D(x, σ) from the network's output."""

    @abstractmethod
    def velocity(self, x: Tensor, denoised: Tensor, σ: Tensor) -> Tensor:
        """The v that a network of v, or of flow, gives where this is D(x, σ)."""

    @abstractmethod
    def of_velocity(self, x: Tensor, v: Tensor, σ: Tensor) -> Tensor:
        """D(x, σ) from v; inverse of `velocity`."""

    # Noise

    @abstractmethod
    def renoise(self, latent: Tensor, noise: Tensor, σ: Tensor) -> Tensor:
        """x_σ = α·latent + σ·noise."""

    def start(self, latent: Tensor, noise: Tensor, σ: Tensor) -> Tensor:
        """x at the first noise level of a schedule."""
        return self.renoise(latent, noise, σ)

    @abstractmethod
    def finish(self, x: Tensor, σ: Tensor) -> Tensor:
        """x at the last noise level as a latent without noise: itself at σ = 0."""

    @abstractmethod
    def left(self, x: Tensor, σ: Tensor) -> Tensor:
        """x at the last noise level as a latent that keeps its noise: `start` without further noise
        gives x again."""

    @abstractmethod
    def ancestral(self, σ: Tensor, σ_next: Tensor, η: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """σ_down, scale, up: go to σ_down, then x ← scale·x + up·noise has the noise σ_next.

        `η`: how much of it is fresh; 0 is none.
        """

    # Signal to noise

    @abstractmethod
    def alpha(self, σ: Tensor) -> Tensor:
        """How much of the picture is left in x_σ."""

    @abstractmethod
    def half_log_snr(self, σ: Tensor) -> Tensor:
        """λ = log(α/σ), +∞ at σ = 0."""

    @abstractmethod
    def sigma_of_half_log_snr(self, λ: Tensor) -> Tensor:
        """Inverse of `half_log_snr`."""

    def with_finite_snr(self, sigmas: Tensor) -> Tensor:
        """The schedule with a finite λ at its start."""
        return sigmas


class VP(Parameterisation):
    """ε-, v- and x₀-prediction over the scaled-linear β table, with σ = √((1−ᾱ)/ᾱ).

    `zsnr`: the table was rescaled to end without signal (Lin et al. 2023). `half`: its ᾱ were
    rounded to half precision. `fractional`: the network is told times between steps as well.
    """

    def __init__(
        self,
        prediction: str = "eps",
        *,
        zsnr: bool = False,
        betas: Betas | None = None,
        aligned: tuple[float, ...] = (),
        half: bool = False,
        fractional: bool = False,
    ) -> None:
        betas = betas or Betas()
        self.prediction, self.aligned, self._fractional = prediction, aligned, fractional
        β = torch.linspace(betas.start**0.5, betas.end**0.5, betas.steps, dtype=torch.float64) ** 2
        ᾱ = torch.cumprod(1 - β, dim=0)
        σ = _sigma_of_alpha_bar(ᾱ.half().double() if half else ᾱ)
        if zsnr:
            σ = _without_terminal_snr(σ)
        self.table = rounded(σ)
        self.end = betas.steps - 1.0
        # Times halfway between two steps are common, and which of them ComfyUI and A1111 tell the
        # network hangs on the last bits of float32 logarithms. So we go by these as well.
        self._log_table = rounded(σ.log())

    def t(self, σ: Tensor) -> Tensor:
        """The nearest index of the table by log σ, since the network knows whole steps only; where
        it is told fractions, the place between two of them."""
        if not self._fractional:
            return (rounded(σ.log()) - self._log_table).abs().argmin().float()
        table, log_σ = self._log_table, σ.log()
        below = int(torch.searchsorted(table, log_σ, right=True)) - 1
        below = min(max(below, 0), len(table) - 2)
        way = (log_σ - table[below]) / (table[below + 1] - table[below]).clamp_min(1e-12)
        return (below + way.clamp(0, 1)).float()

    def sigma(self, t: Tensor) -> Tensor:
        """Interpolates log σ linearly in t."""
        # What is halfway but for a rounding is halfway.
        t = t.round(decimals=9).clamp(0, len(self.table) - 1)
        w = t.frac()
        below, above = self._log_table[t.floor().long()], self._log_table[t.ceil().long()]
        return rounded((1 - w) * below + w * above).exp()

    def at_share(self, σ: Tensor, share: float) -> Tensor:
        if share in (0, 1):
            return σ * share
        # The network knows whole steps only.
        return self.sigma((self.t(σ).double() * share).floor())

    def input_scale(self, σ: Tensor) -> Tensor:
        # A network from picture to picture is shown a latent, and no noise.
        return torch.ones_like(σ) if self.prediction == "img_to_img" else (σ**2 + 1) ** 0.5

    def denoised(self, x: Tensor, output: Tensor, σ: Tensor) -> Tensor:
        if self.prediction in ("x0", "img_to_img"):
            return output
        return self.of_velocity(x, output, σ) if self.prediction == "v" else x - output * σ

    def velocity(self, x: Tensor, denoised: Tensor, σ: Tensor) -> Tensor:
        return (x / (σ**2 + 1) - denoised) * ((σ**2 + 1) ** 0.5 / σ)

    def of_velocity(self, x: Tensor, v: Tensor, σ: Tensor) -> Tensor:
        return x / (σ**2 + 1) - v * (σ / (σ**2 + 1) ** 0.5)

    def renoise(self, latent: Tensor, noise: Tensor, σ: Tensor) -> Tensor:
        return latent + noise * σ

    def start(self, latent: Tensor, noise: Tensor, σ: Tensor) -> Tensor:
        """At full noise the network has always seen √(1+σ²): the picture's own variance is in it.

        "Full" has a tolerance of 1e-5, since schedules reach σ_max by way of logarithms.
        """
        if σ >= self.sigma_max * (1 - 1e-5):
            return latent + noise * (1 + σ**2).sqrt()
        return self.renoise(latent, noise, σ)

    def finish(self, x: Tensor, σ: Tensor) -> Tensor:
        """√ᾱ·x, the variance-preserving form, is the latent where noise is left."""
        return x / (1 + σ**2).sqrt()

    def left(self, x: Tensor, _: Tensor) -> Tensor:
        return x

    def ancestral(self, σ: Tensor, σ_next: Tensor, η: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        # In float32, whose basic operations are the same on every CPU: the midpoint of σ and σ_down
        # is σ_next but for roundings, and these must be ComfyUI's where it lies halfway in time.
        σ, σ_next = σ.float(), σ_next.float()
        up = torch.minimum(σ_next, η * (σ_next**2 * (σ**2 - σ_next**2) / σ**2) ** 0.5)
        down = (σ_next**2 - up**2) ** 0.5
        return down.double(), torch.ones_like(up).double(), up.double()

    def alpha(self, σ: Tensor) -> Tensor:
        return torch.ones_like(σ)

    def half_log_snr(self, σ: Tensor) -> Tensor:
        return σ.log().neg()

    def sigma_of_half_log_snr(self, λ: Tensor) -> Tensor:
        return λ.neg().exp()


class Distilled(VP):
    """Latent consistency (Luo et al. 2023): 50 of the levels, and of x and the picture that the
    noise says, what the time t' = 10·t leaves of each."""

    def __init__(
        self,
        prediction: str = "lcm",
        *,
        zsnr: bool = False,
        betas: Betas | None = None,
        aligned: tuple[float, ...] = (),
        half: bool = False,
        fractional: bool = False,
    ) -> None:
        del fractional  # it was distilled to whole steps
        super().__init__(prediction, zsnr=zsnr, betas=betas, aligned=aligned, half=half)
        self._stride = len(self.table) // _DISTILLED_LEVELS
        self.table = self.table[self._stride - 1 :: self._stride]
        self._log_table = self._log_table[self._stride - 1 :: self._stride]

    def t(self, σ: Tensor) -> Tensor:
        return super().t(σ) * self._stride + (self._stride - 1)

    def sigma(self, t: Tensor) -> Tensor:
        return super().sigma((t - (self._stride - 1)) / self._stride)

    def denoised(self, x: Tensor, output: Tensor, σ: Tensor) -> Tensor:
        tʹ = 10 * self.t(σ).double()
        c_skip, c_out = 0.25 / (tʹ**2 + 0.25), tʹ / (tʹ**2 + 0.25).sqrt()
        return c_out * super().denoised(x, output, σ) + c_skip * x


class Continuous(VP):
    """Levels without a table of training: time is ln σ / 4 (Karras et al. 2022), counted by "log",
    or the angle (2/π)·atan σ of a v-prediction.

    `prediction` "edm" has pictures of the spread σ_d = ½ in mind, "eps" and "v" of 1.
    """

    def __init__(self, prediction: str, counted: str, σ_max: float, σ_min: float) -> None:
        self.prediction, self._counted = prediction, counted
        ends = math.log(σ_min), math.log(σ_max)
        self.table = rounded(torch.linspace(*ends, 1000, dtype=torch.float64).exp())
        self.begin, self.end = (float(self.t(self.table[i])) for i in (0, -1))
        self._σ_d = 0.5 if prediction == "edm" else 1.0

    def t(self, σ: Tensor) -> Tensor:
        return (σ.log() / 4 if self._counted == "log" else σ.atan() * (2 / math.pi)).float()

    def sigma(self, t: Tensor) -> Tensor:
        return (4 * t).exp() if self._counted == "log" else (t * (math.pi / 2)).tan()

    def sigma_at(self, share: float) -> float:
        """Even in log σ, whichever way time is counted."""
        if share <= 0:
            return math.inf
        high, low = (math.log(float(self.table[i])) for i in (-1, 0))
        return math.exp(high + (low - high) * share) if share < 1 else 0.0

    def at_share(self, σ: Tensor, share: float) -> Tensor:
        if share in (0, 1):
            return σ * share
        low = self.t(self.sigma_min).double()
        return self.sigma(low + (self.t(σ).double() - low) * share)

    def input_scale(self, σ: Tensor) -> Tensor:
        return (σ**2 + self._σ_d**2) ** 0.5

    def denoised(self, x: Tensor, output: Tensor, σ: Tensor) -> Tensor:
        if self.prediction != "edm":
            return super().denoised(x, output, σ)
        total = σ**2 + self._σ_d**2
        return x * (self._σ_d**2 / total) + output * (σ * self._σ_d / total**0.5)


class Flow(Parameterisation):
    """Rectified flow: the network gives the velocity v = ε − x₀.

    `shift` bends time towards noise, σ = a·s / (1 + (a−1)·s); `time` is what the network is told
    at σ = 1.
    """

    prediction = "flow"

    def __init__(self, shift: float = 1.0, time: float = 1000.0, steps: int = 1000) -> None:
        self.shift, self.time = shift, time
        self.end = time
        s = torch.arange(1, steps + 1, dtype=torch.float64) / steps
        self.table = rounded(self.sigma(s * time))

    def t(self, σ: Tensor) -> Tensor:
        return (σ * self.time).float()

    def sigma(self, t: Tensor) -> Tensor:
        """The noise level at an unshifted time. `t` is the network's, of shifted σ:
        ComfyUI's schedules use the two as inverses although they are so for shift 1 only.
        """
        s = t / self.time
        return self.shift * s / (1 + (self.shift - 1) * s)

    def at_share(self, σ: Tensor, share: float) -> Tensor:
        return σ * share

    def input_scale(self, σ: Tensor) -> Tensor:
        return torch.ones_like(σ)

    def denoised(self, x: Tensor, output: Tensor, σ: Tensor) -> Tensor:
        return self.of_velocity(x, output, σ)

    def velocity(self, x: Tensor, denoised: Tensor, σ: Tensor) -> Tensor:
        return (x - denoised) / σ

    def of_velocity(self, x: Tensor, v: Tensor, σ: Tensor) -> Tensor:
        return x - v * σ

    def renoise(self, latent: Tensor, noise: Tensor, σ: Tensor) -> Tensor:
        return σ * noise + (1 - σ) * latent

    def finish(self, x: Tensor, σ: Tensor) -> Tensor:
        return self.left(x, σ)

    def left(self, x: Tensor, σ: Tensor) -> Tensor:
        return x / (1 - σ) if σ < 1 else x

    def ancestral(self, σ: Tensor, σ_next: Tensor, η: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        ratio = σ_next / σ
        # No further down than to the picture, however much of the noise shall be fresh.
        down = σ_next * (ratio + (1 - ratio) * (1 - η)).clamp_min(0)
        scale = (1 - σ_next) / (1 - down)
        return down, scale, (σ_next**2 - down**2 * scale**2) ** 0.5

    def alpha(self, σ: Tensor) -> Tensor:
        return 1 - σ

    def half_log_snr(self, σ: Tensor) -> Tensor:
        return σ.logit().neg()

    def sigma_of_half_log_snr(self, λ: Tensor) -> Tensor:
        return λ.neg().sigmoid()

    def with_finite_snr(self, sigmas: Tensor) -> Tensor:
        almost_one = torch.tensor((1 - _FLOW_OFFSET) * self.time, dtype=torch.float64)
        return sigmas.clamp(max=rounded(self.sigma(almost_one)))


def rounded(σ: Tensor) -> Tensor:
    """float64 σ with the nearest values that float32 has."""
    return σ.float().double()


def _sigma_of_alpha_bar(alpha_bar: Tensor) -> Tensor:
    return ((1 - alpha_bar) / alpha_bar).sqrt()


def _without_terminal_snr(σ: Tensor) -> Tensor:
    """Shift and scale √ᾱ so that the last is 0 and the first stays (Lin et al. 2023, eq. 1)."""
    s = (1 / (σ**2 + 1)).sqrt()
    alpha_bar = ((s - s[-1]) * s[0] / (s[0] - s[-1])) ** 2
    alpha_bar[-1] = _ALMOST_ZERO_SNR
    return _sigma_of_alpha_bar(alpha_bar)
