import pytest
import torch

from helpers.denoisers import FunctionDenoiser, prompt, words
from ponystudio.diffusion.families import find_family
from ponystudio.diffusion.sampling.guidance import Guided, classifier_free, rescaled
from ponystudio.diffusion.sampling.parameterisation import VP, Flow
from ponystudio.errors import MismatchedValues

SPACE = VP()
σ = torch.tensor(2.0)


def context_mean(x, t, context):
    """A noise that depends on the prompt alone, whatever its number of tokens."""
    return context.mean(dim=(1, 2)).view(-1, 1, 1, 1).expand_as(x)


def guided(positive, negative, cfg, *, batch=1, space=SPACE, family="sd1", told=False, **options):
    network = FunctionDenoiser(
        context_mean, prediction=space.prediction, family=find_family(family), guided=told
    )
    guidance = classifier_free(positive, negative, cfg)
    return network, Guided(network, space, guidance, shape=(batch, 4, 8, 8), **options)


def test_guidance_goes_from_the_negative_beyond_the_positive_prompt():
    x = torch.randn(1, 4, 8, 8)
    _, D = guided(prompt(1.0), prompt(0.25), 7.5)
    u, c = x - σ * 0.25, x - σ * 1.0
    assert torch.allclose(D(x, σ), u + (c - u) * 7.5, atol=1e-5)


def test_one_call_with_the_negative_prompt_first():
    network, D = guided(prompt(1.0), prompt(0.25), 7.5, batch=2)
    x = torch.randn(2, 4, 8, 8)
    D(x, σ)
    ((shown, t, context, extra),) = network.calls
    assert context[:, 0, 0].tolist() == [0.25, 0.25, 1, 1]
    assert torch.allclose(shown[:2], x / 5**0.5)
    assert torch.equal(shown[:2], shown[2:])
    assert t.tolist() == [SPACE.t(σ).item()] * 4
    assert extra == {}


def test_without_guidance_the_negative_prompt_is_not_computed():
    network, D = guided(prompt(1.0), prompt(0.25), 1.0)
    x = torch.randn(1, 4, 8, 8)
    assert torch.allclose(D(x, σ), x - σ)
    assert [call[2][:, 0, 0].tolist() for call in network.calls] == [[1.0]]


def test_guidance_of_zero_is_the_negative_prompt_alone():
    x = torch.randn(1, 4, 8, 8)
    _, D = guided(prompt(1.0), prompt(0.25), 0.0)
    assert torch.allclose(D(x, σ), x - σ * 0.25)


def test_flow_networks_see_x_itself_and_their_own_time():
    network, D = guided(prompt(1.0), prompt(0.25), 1.0, space=Flow())
    x, half = torch.randn(1, 4, 8, 8), torch.tensor(0.5)
    assert torch.allclose(D(x, half), x - 0.5)
    shown, t, _, _ = network.calls[0]
    assert torch.equal(shown, x)
    assert t.tolist() == [500]


# Prompts of different lengths


def test_prompts_are_repeated_to_a_common_length():
    network, D = guided(prompt(1.0, chunks=3), prompt(0.25, chunks=2), 7.5)
    D(torch.zeros(1, 4, 8, 8), σ)
    assert [call[2].shape for call in network.calls] == [(2, 77 * 6, 3)]
    assert network.calls[0][2][:, :, 0].mean(dim=1).tolist() == [0.25, 1]


@pytest.mark.parametrize("lengths", [(3, 1), (1, 3)])
def test_the_empty_chunk_lengthens_the_shorter_prompt(lengths):
    empty = torch.full((1, 77, 3), -1.0)
    positive, negative = (
        prompt(value, chunks=n, padding=empty)
        for value, n in zip((1.0, 0.25), lengths, strict=True)
    )
    network, D = guided(positive, negative, 7.5)
    D(torch.zeros(1, 4, 8, 8), σ)
    context = network.calls[0][2]
    assert context.shape == (2, 231, 3)
    short = 0 if lengths[0] > lengths[1] else 1
    assert (context[short, :77] != -1).all()
    assert (context[short, 77:] == -1).all()
    assert (context[1 - short] != -1).all()


def test_prompts_that_would_repeat_too_often_go_one_by_one():
    x = torch.randn(2, 4, 8, 8)
    network, D = guided(prompt(1.0, chunks=7), prompt(0.25, chunks=2), 7.5, batch=2)
    u, c = x - σ * 0.25, x - σ * 1.0
    assert torch.allclose(D(x, σ), u + (c - u) * 7.5, atol=1e-5)
    assert [tuple(call[2].shape[:2]) for call in network.calls] == [(2, 154), (2, 539)]


# Batches


def test_each_picture_may_have_its_own_prompt():
    own = words(torch.tensor([1.0, 2.0]).view(2, 1, 1).expand(2, 77, 3))
    x = torch.zeros(2, 4, 8, 8)
    _, D = guided(own, prompt(0.0), 2.0, batch=2)
    assert D(x, σ)[:, 0, 0, 0].tolist() == [-4, -8]


def test_prompts_for_another_number_of_pictures_are_refused():
    two = words(torch.zeros(2, 77, 3))
    with pytest.raises(MismatchedValues, match="2 pictures cannot guide 3"):
        guided(two, prompt(), 7.5, batch=3)


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_splitting_the_batch_changes_nothing(rows):
    x = torch.randn(3, 4, 8, 8)
    _, whole = guided(prompt(1.0), prompt(0.25), 7.5, batch=3)
    network, split = guided(prompt(1.0), prompt(0.25), 7.5, batch=3, rows=rows)
    assert torch.equal(split(x, σ), whole(x, σ))
    assert max(len(call[0]) for call in network.calls) <= rows
    assert sum(len(call[0]) for call in network.calls) == 6


def test_pooled_vectors_follow_their_rows():
    positive, negative = (
        words(torch.zeros(1, 77, 3), pooled=torch.full((1, 5), value), sizes=(1,) * 6)
        for value in (1.0, 0.25)
    )
    network, D = guided(positive, negative, 7.5, batch=2, rows=3)
    D(torch.zeros(2, 4, 8, 8), σ)
    pooled = torch.cat([call[3]["pooled"] for call in network.calls])
    assert pooled[:, 0].tolist() == [0.25, 0.25, 1, 1]


def test_sizes_are_the_pictures_unless_the_prompt_names_others():
    pooled = torch.zeros(1, 5)
    plain = words(torch.zeros(1, 77, 3), pooled=pooled)
    named = words(torch.zeros(1, 77, 3), pooled=pooled, sizes=(1, 2, 3, 4, 5, 6))
    network, D = guided(named, plain, 7.5, batch=1, sizes=(64, 32, 0, 0, 64, 32), family="sdxl")
    D(torch.zeros(1, 4, 8, 4), σ)
    (call,) = network.calls
    assert call[3]["sizes"].tolist() == [[64, 32, 0, 0, 64, 32], [1, 2, 3, 4, 5, 6]]


def test_rescaling_by_the_published_numbers():
    c = torch.arange(8.0).reshape(1, 1, 2, 4)
    assert rescaled(7.5 * c, c, 0.7).flatten()[-1].item() == pytest.approx(20.65)
    assert torch.equal(rescaled(7.5 * c, c, 0.0), 7.5 * c)


@pytest.mark.parametrize("space", [VP("eps"), VP("v"), Flow(1.73)], ids=["eps", "v", "flow"])
def test_velocity_and_back(space):
    x, D = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    for σ in (space.sigma_min, space.table[500], space.sigma_max):
        v = space.velocity(x, D, σ)
        assert torch.allclose(space.of_velocity(x, v, σ), D, atol=1e-4)
    if space.prediction == "v":
        assert torch.allclose(space.denoised(x, v, σ), D, atol=1e-4)
