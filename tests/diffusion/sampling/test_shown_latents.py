import pytest
import torch

from helpers.denoisers import FunctionDenoiser, words
from ponystudio.api import Area, Latent
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.guidance import Guided, classifier_free, dual
from ponystudio.diffusion.sampling.parameterisation import VP, Flow
from ponystudio.diffusion.sampling.shown_latents import beside, by_default
from ponystudio.errors import MismatchedValues

σ = torch.tensor(0.5)
SHAPE = 2, 4, 8, 8


def prompt(value, **options):
    return words(torch.full((1, 77, 3), value), **options)


def network(family="sd1", in_channels=8):
    channels = find_family(family).latent_channels
    return FunctionDenoiser(
        lambda x, t, context: x[:, :channels],
        in_channels=in_channels,
        family=find_family(family),
        prediction=find_family(family).prediction,
    )


def picture(batch=1, channels=4, side=8, seed=0, **more):
    torch.manual_seed(seed)
    return Latent(torch.randn(batch, channels, side, side), **more)


def test_every_row_sees_its_picture():
    asked, shown = network(), picture(2)
    guidance = classifier_free(prompt(1.0, shown=shown), prompt(0.25, shown=shown), 7.5)
    Guided(asked, VP(), guidance, shape=SHAPE)(torch.zeros(SHAPE), σ)
    (call,) = asked.calls
    assert torch.equal(call[0][:, 4:], torch.cat([shown.values, shown.values]))


def test_a_prompt_may_do_without_the_picture():
    asked, shown = network(), picture()
    pair = prompt(1.0, shown=shown), prompt(0.5, shown=shown)
    guidance = dual(*pair, prompt(0.25), 7.5, 1.5)
    Guided(asked, VP(), guidance, shape=(1, *SHAPE[1:]))(torch.zeros(1, *SHAPE[1:]), σ)
    (call,) = asked.calls
    assert torch.equal(call[0][:, 4:], torch.cat([shown.values * 0, *[shown.values] * 2]))


def test_a_part_of_the_picture_for_a_part_of_the_prompt():
    asked, shown = network(), picture()
    area = prompt(1.0, shown=shown, area=Area(32, 0, 32, 64))
    guidance = classifier_free(area, prompt(0.25, shown=shown), 1.0)
    Guided(asked, VP(), guidance, shape=(1, *SHAPE[1:]))(torch.zeros(1, *SHAPE[1:]), σ)
    (call,) = asked.calls
    assert torch.equal(call[0][:, 4:], shown.values[..., 4:])


def test_flux_follows_a_picture_as_scaled_as_x_is():
    family, shown = find_family("flux"), picture(channels=16)
    found = beside(network("flux", 32), shown, (1, 16, 8, 8))
    assert torch.allclose(found, (shown.values - family.shift) * family.scaling_factor)


def test_flux_sees_every_pixel_of_a_hole():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 3, 12] = 1  # row 3 and column 4 of the cell in the second column
    shown = picture(channels=16, mask=mask)
    found = beside(network("flux", 96), shown, (1, 16, 8, 8))
    assert found.shape == (1, 80, 8, 8)
    assert found[:, 16:].sum() == found[0, 16 + 3 * 8 + 4, 0, 1] == 1


def test_a_picture_of_another_size_is_scaled():
    shown = Latent(torch.full((1, 4, 5, 3), 2.0))
    assert beside(network(), shown, SHAPE).eq(2).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(MismatchedValues, match=r"3 pictures of 4 channels .* 2 of 4"):
        beside(network(), picture(3), SHAPE)
    with pytest.raises(MismatchedValues, match="1 pictures of 16 channels"):
        beside(network(), picture(channels=16), SHAPE)


def test_pictures_to_refer_to_go_to_those_who_read_them():
    one, other = picture(channels=16), picture(channels=16, side=4, seed=1)
    shape = 2, 16, 8, 8
    for family, references in (("flux", 2), ("sd3", 0)):
        asked = network(family, 16)
        guidance = classifier_free(
            prompt(1.0, references=(one, other)), prompt(0.25, references=(one, other)), 2.0
        )
        Guided(asked, Flow(), guidance, shape=shape)(torch.zeros(shape), σ)
        (call,) = asked.calls
        told = call[3].get("references", [])
        assert len(told) == references
        if told:
            scaled = (other.values - 0.1159) * 0.3611
            assert torch.allclose(told[1], scaled.expand(4, -1, -1, -1))


def test_a_hole_is_in_a_cell_where_it_is_in_the_middle_of_it():
    mask, soft = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    mask[..., 12:, 12:] = 1  # from the middle of a cell
    soft[..., :4, :] = 0.5
    soft[..., 4:8, :] = 0.75
    asked = network(in_channels=9)
    cells = beside(asked, picture(mask=mask), (1, 4, 8, 8))[0, 0]
    assert (cells.sum(), cells[2:, 2:].sum()) == (36, 36)
    assert beside(asked, picture(mask=soft), (1, 4, 8, 8))[0, 0, 0].eq(1).all()
    # Of a latent that was encoded for inpainting it is where the corner is, as it always was.
    values = torch.ones(1, 4, 8, 8)
    old = beside(asked, by_default(asked, values, soft, values), (1, 4, 8, 8))[0, 0]
    assert not old.any()
    new = beside(asked, by_default(asked, values, soft, None), (1, 4, 8, 8))[0, 0]
    assert new[0].eq(1).all()
    assert not new[1:].any()
