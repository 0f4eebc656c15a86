from dataclasses import replace

import pytest
import torch

from helpers.denoisers import FunctionDenoiser, words
from ponystudio.api import (
    FreSca,
    NormedGuidance,
    PerturbedAttention,
    Rescaled,
    Shift,
    SkipLayers,
)
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.frequencies import scaled_frequencies
from ponystudio.diffusion.sampling.guidance import (
    Guided,
    Seen,
    classifier_free,
    dual,
    one,
)
from ponystudio.diffusion.sampling.modified_guidance import with_modifiers
from ponystudio.diffusion.sampling.parameterisation import VP, Flow

FLOW, HALF = Flow(), torch.tensor(0.5)
SHAPE = 1, 4, 8, 8
# What a pass with a mode sees beside what it would see without.
LESS = 0.25


def aiming(value, **options):
    """A prompt under which D is `value` everywhere, at σ ½ of a flow network that is shown 0."""
    return words(torch.full((1, 4, 3), value / -0.5), **options)


class Network(FunctionDenoiser):
    """D is LESS smaller in passes with a mode."""

    def __call__(self, x, t, context, **extra):
        out = super().__call__(x, t, context, **extra)
        return out + LESS / 0.5 if "mode" in extra else out


def aimed(guidance, *modifiers, σ=HALF):
    """D and u of the guidance with these modifiers, and the network that was asked."""
    network = Network(
        lambda x, t, context: context.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand_as(x),
        prediction="flow",
        family=find_family("flux"),
    )
    D = Guided(network, FLOW, with_modifiers(guidance, modifiers), shape=SHAPE)
    return *(x.mean().item() for x in D.both(torch.zeros(SHAPE), σ)), network


def modes(network):
    return [call[3].get("mode") for call in network.calls]


GUIDANCE = classifier_free(aiming(1.0), aiming(0.5), 3.0)  # D = 2


def test_no_modifiers_no_cost():
    D, u, network = aimed(GUIDANCE, Shift(2.0))
    assert (D, u) == (pytest.approx(2.0), pytest.approx(0.5))
    assert modes(network) == [None]
    assert with_modifiers(GUIDANCE, ()).combine is GUIDANCE.combine


def test_perturbed_attention_takes_a_pass_of_its_own():
    pag = PerturbedAttention(4.0)
    D, u, network = aimed(GUIDANCE, pag)
    assert (D, u) == (pytest.approx(2.0 + 4 * LESS), pytest.approx(0.5))
    assert modes(network) == [None, pag]
    assert [len(call[0]) for call in network.calls] == [2, 1]
    assert aimed(one(aiming(1.0)), pag)[0] == pytest.approx(1.0 + 4 * LESS)
    assert modes(aimed(GUIDANCE, PerturbedAttention(0.0))[2]) == [None]


def test_layers_are_skipped_within_their_range():
    # Without a shift σ is the share of the run that is left.
    skipped = SkipLayers((7,), (), 2.0, 0.4, 0.6)
    D, _, network = aimed(GUIDANCE, skipped)
    assert pytest.approx(2.0 + 2 * LESS) == D
    assert modes(network) == [None, skipped]
    for outside in (SkipLayers((7,), (), 2.0, 0.6, 1.0), SkipLayers((7,), (), 2.0, 0.0, 0.4)):
        D, _, network = aimed(GUIDANCE, outside)
        assert pytest.approx(2.0) == D
        assert modes(network) == [None]


def test_the_spread_may_be_that_of_the_positive_prompt():
    c, p, x = torch.randn(3, 2, 4, 8, 8)
    skipped = SkipLayers((7,), (), 3.0, 0.0, 1.0, rescale=0.5)
    D = with_modifiers(one(aiming(1.0)), [skipped]).combine([c, p], Seen(x, HALF, FLOW))
    m = c + 3 * (c - p)
    for i in range(2):
        factor = 0.5 * c[i].std() / m[i].std() + 0.5
        assert torch.allclose(D[i], m[i] * factor, atol=1e-5)


def test_the_negative_prompt_may_be_the_one_without_layers():
    within, outside = (SkipLayers((7,), (), 2.0, 0.0, end, negative=True) for end in (0.6, 0.4))
    D, u, network = aimed(GUIDANCE, within)
    assert u == pytest.approx(0.5 - LESS)
    assert pytest.approx(u + (1.0 - u) * 3) == D
    assert sum(len(call[0]) for call in network.calls) == 2  # no more than without
    always = SkipLayers((7,), (), 2.0, 0.0, 1.0, negative=True)
    D, u, network = aimed(GUIDANCE, always)
    assert u == pytest.approx(0.5 - LESS)
    D, u, network = aimed(GUIDANCE, outside)
    assert (D, u) == (pytest.approx(2.0), pytest.approx(0.5))
    assert modes(network) == [None]
    assert modes(aimed(one(aiming(1.0)), within)[2]) == [None]


def test_several_act_one_after_the_other():
    pag, bound = PerturbedAttention(4.0), NormedGuidance(1.0)
    assert aimed(GUIDANCE, pag, bound)[0] == pytest.approx(1.0)  # as long as c
    assert aimed(GUIDANCE, bound, pag)[0] == pytest.approx(1.0 + 4 * LESS)


def test_bounded_by_the_published_numbers():
    c, D = (torch.tensor(v).view(1, 2, 1, 1) for v in ((3.0, 4.0), (6.0, 6.0)))
    guidance = replace(one(aiming(1.0)), combine=lambda *_: D)
    found = with_modifiers(guidance, [NormedGuidance(1.0)]).combine([c], Seen(c, HALF, FLOW))
    assert torch.allclose(found.flatten(), torch.full((2,), 3.535534), atol=1e-5)


def test_frequencies_of_the_difference():
    u, m, c, x = torch.randn(4, 2, 4, 8, 8)
    seen = Seen(x, HALF, FLOW)
    fresca = FreSca(0.5, 1.25, 2)
    far = scaled_frequencies(c - u, low=0.5, high=1.25, reach=2)
    D = with_modifiers(GUIDANCE, [fresca]).combine([u, c], seen)
    assert torch.allclose(D, u + 3 * far, atol=1e-5)
    three = dual(aiming(1.0), aiming(0.5), aiming(0.0), 3.0, 2.0)
    D = with_modifiers(three, [fresca]).combine([u, m, c], seen)
    assert torch.allclose(D, three.combine([u, m, u + far], seen), atol=1e-5)
    assert torch.equal(with_modifiers(one(aiming(1.0)), [fresca]).combine([c], seen), c)


def test_rescaling_by_the_published_numbers():
    x, σ = torch.ones(1, 1, 2, 4), torch.tensor(2.0)
    c = torch.arange(8.0).view(1, 1, 2, 4) / 8
    guidance = classifier_free(aiming(1.0), aiming(0.5), 7.5)
    D = with_modifiers(guidance, [Rescaled(0.7)]).combine([x * 0, c], Seen(x, σ, VP()))
    wanted = [0.12133, 0.49008, 0.85883, 1.22758, 1.59633, 1.96508, 2.33383, 2.70258]
    assert torch.allclose(D.flatten(), torch.tensor(wanted), atol=1e-5)
