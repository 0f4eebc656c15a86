"""A1111's sampling as plain loops over steps, of a network that is a function."""

import itertools

import torch

from ponystudio.diffusion.noise.philox import PhiloxGenerator

POSITIVE, NEGATIVE, CFG = 0.2, -0.1, 5.0
"""What the prompts say to the network, and how strongly they guide."""
SCALE = 0.18215


def eps(x, t, context):
    """A smooth network that mixes neighbours, and hangs on fractions of time."""
    mixed = 0.6 * x + 0.3 * x.roll(1, -1) - 0.2 * x.roll(1, -2)
    wave = 1 + 0.3 * (t.view(-1, 1, 1, 1) / 3).sin()
    return mixed.tanh() * wave + context.mean((1, 2)).view(-1, 1, 1, 1)


ᾱ = (1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2).cumprod(0)
SIGMAS = ((1 - ᾱ) / ᾱ).sqrt()
LOGS = SIGMAS.log()


def guided(x, t):
    """What the network says of √ᾱ·x at time t, with guidance."""
    times = torch.full((len(x),), t)
    c, u = (eps(x, times, torch.full((len(x), 1, 1), value)) for value in (POSITIVE, NEGATIVE))
    return u + (c - u) * CFG


def time_of(σ):
    """Fractional: log σ is linear between steps of the training."""
    log = float(torch.tensor(σ).double().log())
    low = max(int((log + 1e-9 >= LOGS).sum()) - 1, 0)
    low = min(low, 998)
    way = (log - float(LOGS[low])) / float(LOGS[low + 1] - LOGS[low])
    return low + min(max(way, 0.0), 1.0)


def D(x, σ):
    return x - σ * guided(x / (σ**2 + 1) ** 0.5, time_of(σ))


def uniform(n):
    times = torch.linspace(999, 0, n, dtype=torch.float64)
    low = times.floor().long().clamp(max=998)
    logs = LOGS[low] + (LOGS[low + 1] - LOGS[low]) * (times - low)
    return [*logs.exp().tolist(), 0.0]


def karras(n):
    high, low = float(SIGMAS[-1]) ** (1 / 7), float(SIGMAS[0]) ** (1 / 7)
    return [
        *((high + torch.linspace(0, 1, n, dtype=torch.float64) * (low - high)) ** 7).tolist(),
        0,
    ]


class Pictures:
    """Generators of NV noise, one a picture, from a seed up."""

    def __init__(self, seed, count):
        self.generators = [PhiloxGenerator(seed + i) for i in range(count)]

    def next(self, shape=(4, 8, 8)):
        return torch.stack([generator.randn(shape) for generator in self.generators])


def euler(x, sigmas):
    for σ, σ_next in itertools.pairwise(sigmas):
        x = x + (x - D(x, σ)) / σ * (σ_next - σ)
    return x


def euler_a(x, sigmas, noise, eta=1.0, put_back=lambda D: D):
    """`put_back` has what is not masked."""
    for σ, σ_next in itertools.pairwise(sigmas):
        up = min(σ_next, eta * (σ_next**2 * (σ**2 - σ_next**2) / σ**2) ** 0.5)
        down = (σ_next**2 - up**2) ** 0.5
        x = x + (x - put_back(D(x, σ))) / σ * (down - σ)
        if σ_next > 0:
            x = x + noise.next(x.shape[1:]) * up
    return x


def dpmpp_2m(x, sigmas):
    old = None
    for i, (σ, σ_next) in enumerate(itertools.pairwise(sigmas)):
        new = D(x, σ)
        if σ_next == 0:
            return new
        h = torch.tensor(σ / σ_next).double().log()
        d = new
        if old is not None:
            r = torch.tensor(sigmas[i - 1] / σ).double().log() / h
            d = (1 + 1 / (2 * r)) * new - 1 / (2 * r) * old
        x = σ_next / σ * x - torch.expm1(-h) * d
        old = new
    return x


def ddim(x, times, eta=0.0, noise=None, put_back=lambda x: x):
    """Of √ᾱ·x; the last of the times is only arrived at. `put_back` has what is not masked."""
    for t, t_next in itertools.pairwise(times):
        a, a_next = float(ᾱ[t]), float(ᾱ[t_next])
        e = guided(put_back(x), float(t))
        fresh = eta * ((1 - a_next) / (1 - a) * (1 - a / a_next)) ** 0.5
        clean = (x - (1 - a) ** 0.5 * e) / a**0.5
        x = a_next**0.5 * clean + (1 - a_next - fresh**2) ** 0.5 * e
        if eta:
            x = x + fresh * noise.next(x.shape[1:])
    return x


def plms(x, times):
    def moved(x, e, t, t_next):
        a, a_next = float(ᾱ[t]), float(ᾱ[t_next])
        return a_next**0.5 * (x - (1 - a) ** 0.5 * e) / a**0.5 + (1 - a_next) ** 0.5 * e

    past = []
    for t, t_next in itertools.pairwise(times):
        e = guided(x, float(t))
        if not past:
            mean = (e + guided(moved(x, e, t, t_next), float(t_next))) / 2
        elif len(past) == 1:
            mean = (3 * e - past[-1]) / 2
        elif len(past) == 2:
            mean = (23 * e - 16 * past[-1] + 5 * past[-2]) / 12
        else:
            mean = (55 * e - 59 * past[-1] + 37 * past[-2] - 9 * past[-3]) / 24
        x = moved(x, mean, t, t_next)
        past.append(e)
    return x


def times(steps):
    return [min(t + 1, 999) for t in range(0, 1000, 1000 // steps)]


def same(ours, theirs):
    """Within 1e-4 of the latents' spread."""
    theirs = theirs / SCALE
    assert ((ours - theirs).norm() / theirs.norm()).item() < 1e-4
