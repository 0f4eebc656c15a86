import math
from contextlib import nullcontext

import pytest
import torch

from helpers.denoisers import FunctionDenoiser, words
from ponystudio.api import Area, Conditioning, Control, ControlNet, Gligen, PlacedText
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.composition import (
    Composition,
    Crop,
    Side,
    area_weight,
    check_areas,
    crop_of,
)
from ponystudio.diffusion.sampling.guidance import (
    Guided,
    classifier_free,
    dual,
    one,
    perpendicular,
)
from ponystudio.diffusion.sampling.parameterisation import FINE_STEPS, VP, Flow
from ponystudio.errors import MismatchedValues

FLOW, σ = Flow(), torch.tensor(0.5)
SHAPE = 1, 4, 8, 16


def aiming(value, tokens=4, **options):
    """A prompt under which D is `value` everywhere, at σ ½ of a flow network that is shown 0."""
    return words(torch.full((1, tokens, 3), value / -0.5), **options)


def of(*prompts):
    return Side(tuple(entry for prompt in prompts for entry in prompt.entries))


def composed(*sides, shape=SHAPE, family="flux", level=σ, **options):
    network = FunctionDenoiser(
        lambda x, t, context: context.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand_as(x),
        prediction="flow",
        family=find_family(family),
    )
    D = Composition(network, FLOW, sides, shape=shape, **options)(torch.zeros(shape), level)
    return network, D


def row(D, number=0):
    return [round(value, 5) for value in D[0, 0, number].tolist()]


# Areas


def test_an_area_counts_less_towards_borders_inside_the_picture():
    right = area_weight(Crop(0, 8, 16, 16), (16, 32)) * 0.5
    assert right[3].tolist() == [0.125, 0.25, 0.375, *[0.5] * 10, 0.375, 0.25, 0.125]
    middle = area_weight(Crop(16, 0, 32, 8), (64, 8))[:, 3].tolist()
    assert middle == [*(i / 8 for i in range(1, 9)), *[1] * 16, *(i / 8 for i in range(8, 0, -1))]
    assert area_weight(Crop(0, 0, 4, 8), (4, 16))[0].tolist() == [1, 1, 1, 1, 1, 1, 1, 0.5]


def test_what_several_say_of_a_cell_is_their_mean_by_weight():
    whole, area = aiming(0.0), Area(0, 0, 64, 64)
    _, (D,) = composed(of(whole, aiming(1.0, area=area)))
    assert row(D) == [*[0.5] * 7, 0.33333, *[0] * 8]
    _, (D,) = composed(of(whole, aiming(1.0, area=area, strength=3)))
    assert row(D) == [*[0.75] * 7, 0.6, *[0] * 8]
    _, (D,) = composed(of(aiming(1.0, area=area)))
    assert row(D) == [*[1] * 8, *[0] * 8]


def test_a_mask_says_how_much_a_prompt_counts_where():
    mask = torch.tensor([0, 0.5, 1, 1]).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    masked = aiming(1.0, mask=mask, mask_strength=0.8)
    _, (D,) = composed(of(aiming(0.0), masked), shape=(1, 4, 4, 4))
    assert row(D) == [0, 0.28571, 0.44444, 0.44444]


def test_only_the_part_around_a_mask_is_seen_where_that_is_wanted():
    mask = torch.zeros(1, 1, 64, 128)
    mask[..., 16:32, 64:128] = 1
    network, (D,) = composed(of(aiming(0.0), aiming(1.0, mask=mask, within_mask=True)))
    assert [call[0].shape[-2:] for call in network.calls] == [(8, 16), (6, 8)]
    assert row(D, 2) == [*[0] * 8, *[0.5] * 8]
    assert row(D, 4) == [0] * 16
    nothing, (D,) = composed(
        of(aiming(0.5), aiming(1.0, mask=torch.zeros(1, 1, 8, 8), within_mask=True))
    )
    assert len(nothing.calls) == 1
    assert row(D) == [0.5] * 16


@pytest.mark.parametrize(
    ("area", "crop"),
    [
        (Area(8, 16, 70, 32), Crop(2, 1, 4, 8)),
        (Area(64, 0, 6400, 6400), Crop(0, 8, 8, 8)),
        (Area(0.5, 0.25, 0.5, 0.01, relative=True), Crop(2, 8, 1, 8)),
    ],
)
def test_areas_are_cut_at_the_borders(area, crop):
    assert crop_of(area, (8, 16), 8) == crop


def test_an_area_outside_the_picture_is_refused():
    outside = words(torch.zeros(1, 4, 3), area=Area(128, 0, 64, 64))
    with pytest.raises(MismatchedValues, match="outside the picture, which is 128 × 64") as error:
        check_areas(outside.entries, (8, 16), 8, "positive")
    assert error.value.socket == "positive"


def test_what_the_other_side_says_of_an_area_is_asked_there_too():
    area = Area(64, 0, 64, 64)
    network, (u, c) = composed(
        of(aiming(0.25), aiming(0.75, tokens=3, area=Area(32, 0, 96, 64))),
        of(aiming(0.0), aiming(1.0, tokens=2, area=area)),
    )
    asked = sorted(
        (call[0].shape[-1], value)
        for call in network.calls
        for value in (call[2][:, 0, 0] * -0.5).tolist()
    )
    # Of the smaller area the other side's smallest part that holds it, and the other way round.
    assert asked == [(8, 0.75), (8, 1.0), (12, 0.0), (12, 0.75), (16, 0.0), (16, 0.25)]
    assert row(c)[:4] == [0, 0, 0, 0]
    assert 0.25 < u[0, 0, 0, 12] < 0.75


# Ranges


def test_a_range_in_the_networks_time():
    vp = {0.1: 8.307171, 0.2: 5.092408, 0.25: 4.086081, 0.35: 2.739083, 0.5: 1.615580,
          0.75: 0.695149, 0.8: 0.571189, 0.9: 0.343705}  # fmt: skip
    for share, level in vp.items():
        assert VP().sigma_at(share) == pytest.approx(level, rel=1e-5)
    three = {0.1: 0.964286, 0.5: 0.75, 0.9: 0.25}
    for share, level in three.items():
        assert Flow(3.0).sigma_at(share) == pytest.approx(level, abs=1e-6)
    flux = Flow(find_family("flux").bending.shift(4096), 1.0, FINE_STEPS)
    for share, level in {0.1: 0.966014, 0.5: 0.759511, 0.9: 0.259758}.items():
        assert flux.sigma_at(share) == pytest.approx(level, abs=1e-6)
    assert VP().sigma_at(0) == float("inf")
    assert VP().sigma_at(1) == 0


def test_a_prompt_holds_in_its_range_alone():
    early, late = aiming(1.0, end=0.4), aiming(0.5, start=0.4)
    for level, wanted in ((0.8, 1.6), (0.5, 0.5)):
        network, (D,) = composed(of(early, late), level=torch.tensor(level))
        assert row(D) == pytest.approx([wanted] * 16)
        assert len(network.calls) == 1
    _, (D,) = composed(of(early))
    assert not D.any()


# What it costs


def test_a_plain_pair_is_one_call_of_two_rows_even_of_equal_words():
    network, _ = composed(of(aiming(1.0)), of(aiming(1.0)))
    assert [len(call[0]) for call in network.calls] == [2]


def test_the_same_question_is_asked_once():
    mask = torch.ones(1, 1, 8, 16)
    network, (u, c) = composed(
        of(aiming(0.25)), of(aiming(1.0), aiming(1.0, mask=mask, strength=2), aiming(0.25))
    )
    assert [len(call[0]) for call in network.calls] == [2]
    assert row(c) == pytest.approx([(1 + 2 + 0.25) / 4] * 16)
    assert row(u) == [0.25] * 16


def test_areas_of_one_size_go_together():
    areas = [aiming(value, area=Area(64 * value, 0, 64, 64)) for value in (0.0, 1.0)]
    network, _ = composed(of(*areas))
    assert [tuple(call[0].shape) for call in network.calls] == [(2, 4, 8, 8)]


def test_splitting_the_rows_changes_nothing():
    sides = of(aiming(0.2)), of(aiming(0.3), aiming(1.0, area=Area(0, 0, 64, 64)))
    _, whole = composed(*sides)
    network, split = composed(*sides, rows=1)
    assert all(torch.equal(one, other) for one, other in zip(whole, split, strict=True))
    assert max(len(call[0]) for call in network.calls) == 1


# How sides become one


def aimed(guidance):
    network, _ = composed()
    return Guided(network, FLOW, guidance, shape=SHAPE).both(torch.zeros(SHAPE), σ)


def test_dual_guidance():
    c, m, u = aiming(1.0), aiming(0.5), aiming(0.25)
    D, unconditional = aimed(dual(c, m, u, 3.0, 2.0))
    assert D[0, 0, 0, 0].item() == pytest.approx(0.25 + 2 * 0.25 + 3 * 0.5)
    assert unconditional[0, 0, 0, 0] == 0.25
    D, _ = aimed(dual(c, m, u, 3.0, 2.0, nested=True))
    assert D[0, 0, 0, 0].item() == pytest.approx(0.25 + 2 * (0.5 + 3 * 0.5 - 0.25))
    assert len(dual(c, m, u, 3.0, 1.0).sides) == 2
    assert len(dual(c, m, u, 3.0, 1.0, nested=True).sides) == 3


def test_samplers_may_have_the_unconditional_without_guidance_too():
    D, u = aimed(classifier_free(aiming(1.0), aiming(0.25), 1.0, both=True))
    assert (D[0, 0, 0, 0], u[0, 0, 0, 0]) == (1.0, 0.25)
    D, u = aimed(one(aiming(1.0)))
    assert D is u


def test_the_perpendicular_part_of_a_negative_prompt():
    p, n, e = torch.tensor([1.0, 2, 3, 4]), torch.tensor([2.0, 0, 1, 0]), torch.zeros(4)
    combine = perpendicular(*(Conditioning((), "sd1"),) * 3, cfg=2.0).combine
    D = combine([e, n, p], None)
    assert D.tolist() == pytest.approx([-1.66667, 4.66667, 5, 9.33333], abs=1e-5)


# Controls


class Steered:
    """What a network is steered by at each call, with its rows: what, where, for which pictures."""

    def __init__(self, *sides, shape=(2, *SHAPE[1:]), level=σ, **options):
        self.opened, self.calls = [], []
        network = FunctionDenoiser(
            lambda x, t, context: x, prediction="flow", family=find_family("flux")
        )
        network.steering = self._steering
        self.composition = Composition(network, FLOW, sides, shape=shape, **options)
        self.composition(torch.zeros(shape), level)
        for x, _, _, extra in network.calls:
            self.calls.append((len(x), extra.get("controls", [])))

    def _steering(self, control, shape):
        self.opened.append(control)
        return self.Active(control)

    class Active:
        def __init__(self, control):
            self.control = control

        def at(self, part, pictures):
            return self.control, part and tuple(part), tuple(pictures)


def steering(**options):
    net = ControlNet("net", "content", "flux")
    return Control(net, torch.zeros(1, 3, 8, 8), **options)


def test_both_prompts_are_steered_in_one_call_and_the_picture_opened_once():
    one = steering()
    found = Steered(*(of(aiming(value, controls=(one,))) for value in (0.0, 1.0)))
    assert found.opened == [one]
    assert found.calls == [(4, [(one, None, (0, 1, 0, 1))])]


def test_a_copy_of_a_control_is_the_same():
    """As where the two prompts come from the disk."""
    one, copy, other = steering(), steering(), steering(strength=0.5)
    found = Steered(of(aiming(0.0, controls=(one,))), of(aiming(1.0, controls=(copy,))))
    assert found.opened == [one]
    assert [rows for rows, _ in found.calls] == [4]
    found = Steered(of(aiming(0.0, controls=(one,))), of(aiming(1.0, controls=(other,))))
    assert found.opened == [one, other]


def test_rows_that_go_one_by_one_have_their_picture():
    one = steering()
    found = Steered(*(of(aiming(value, controls=(one,))) for value in (0.0, 1.0)), rows=1)
    assert found.calls == [(1, [(one, None, (n,))]) for n in (0, 1, 0, 1)]


def test_prompts_that_are_steered_otherwise_go_apart():
    one, other = steering(), steering(kind="depth")
    found = Steered(of(aiming(0.0, controls=(one,))), of(aiming(1.0, controls=(one, other))))
    assert found.calls == [
        (2, [(one, None, (0, 1))]),
        (2, [(one, None, (0, 1)), (other, None, (0, 1))]),
    ]


def test_an_area_has_its_part_of_the_picture():
    one, area = steering(), Area(64, 0, 64, 64)
    found = Steered(of(aiming(0.0, controls=(one,)), aiming(1.0, area=area, controls=(one,))))
    assert found.calls == [
        (2, [(one, None, (0, 1))]),
        (2, [(one, (0, 8, 8, 8), (0, 1))]),
    ]


@pytest.mark.parametrize(
    ("options", "steered"),
    [
        ({"start": 0.5}, True),
        ({"start": 0.51}, False),
        ({"end": 0.5}, True),
        ({"end": 0.49}, False),
        ({"strength": 0.0}, False),
    ],
)
def test_a_control_steers_in_its_range_alone(options, steered):
    """σ ½ of a flow that is not bent is half of the run."""
    found = Steered(of(aiming(0.0, controls=(steering(**options),))))
    assert [len(controls) for _, controls in found.calls] == [int(steered)]


def test_a_shared_control_steers_the_other_prompt_too():
    one, own = steering(shared=True), steering()
    positive, negative = aiming(1.0, controls=(one,)), aiming(0.0)
    assert Steered(of(negative), of(positive)).calls == [(4, [(one, None, (0, 1, 0, 1))])]
    steered = aiming(0.0, controls=(own,))
    assert Steered(of(steered), of(positive)).calls == [
        (2, [(own, None, (0, 1))]),
        (2, [(one, None, (0, 1))]),
    ]
    area = aiming(0.0, area=Area(0, 0, 64, 64))
    # What is about a part alone is not, nor does it take part in that of the positive prompt.
    assert Steered(of(negative, area), of(positive)).calls == [
        (4, [(one, None, (0, 1, 0, 1))]),
        (2, []),
        (2, [(one, (0, 0, 8, 8), (0, 1))]),
    ]


def test_a_prompt_without_words_is_refused():
    with pytest.raises(MismatchedValues, match="says nothing"):
        composed(Side(()), of(aiming(1.0)))


@pytest.mark.parametrize("strength", [-1.0, math.nan, math.inf])
def test_a_strength_that_weighs_nothing_is_refused(strength):
    with pytest.raises(MismatchedValues, match="has a strength of"):
        composed(of(aiming(1.0), aiming(0.0, strength=strength)))
    masked = aiming(0.0, mask=torch.ones(1, 1, 8, 8), mask_strength=strength)
    with pytest.raises(MismatchedValues, match="strength at its mask"):
        composed(of(aiming(1.0), masked))


class Placing:
    """Takes the words of boxes as GLIGEN does."""

    def tokens(self, words, boxes):
        self.words, self.boxes = words, boxes
        return torch.zeros(1, 30, 3, device=words.device)

    def placed(self, unet):
        return nullcontext()


def test_words_that_are_placed_go_where_the_network_is():
    gligen, elsewhere = Gligen("/gligen", "g", "sd1"), torch.device("meta")
    boxes = tuple(
        PlacedText(gligen, torch.ones(1, 3, device=device), Area(0, 0, 32, 32))
        for device in ("cpu", elsewhere)
    )
    placing, network = Placing(), FunctionDenoiser(lambda x, t, c: x, device=elsewhere)
    side = of(words(torch.zeros(1, 77, 3), boxes=boxes))
    Composition(network, VP(), [side], shape=SHAPE, networks={gligen: placing})
    assert placing.words.device == elsewhere
    assert placing.words.shape == (2, 3)
    assert placing.boxes[0].tolist() == [0, 0, 0.25, 0.5]


def test_a_prompt_may_tell_nothing_of_guidance():
    network = FunctionDenoiser(lambda x, t, c: x, guided=True, family=find_family("flux"))
    sides = of(aiming(1.0, guidance=2.0)), of(aiming(0.0, guidance=2.0, guided=False))
    Composition(network, FLOW, sides, shape=SHAPE)(torch.zeros(SHAPE), σ)
    assert [call[3].get("guidance", None) for call in network.calls] == [torch.tensor([2.0]), None]
