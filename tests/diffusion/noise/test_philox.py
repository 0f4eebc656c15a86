"""CUDA's noise against known answers of the generator, and against what cards drew."""

import numpy as np
import pytest
import torch

from ponystudio.diffusion.noise.philox import PhiloxGenerator, philox

# Logarithm, sine and cosine differ in their last bits from one library to the next.
CLOSE = {"rel": 0, "abs": 2e-6}
# An RTX 3060: 28 multiprocessors of 1,536 threads.
RTX_3060 = 43_008


def values(drawn):
    return drawn.flatten().tolist()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (2**32 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ],
)
def test_known_answers(word, expected):
    counter = tuple(np.full(3, word, np.uint64) for _ in range(4))
    for words in zip(*philox(counter, (word, word)), strict=True):
        assert " ".join(f"{one:08x}" for one in words) == expected


def test_a_seed_and_its_second_draw():
    generator = PhiloxGenerator(0)
    assert values(generator.randn([3, 4])) == pytest.approx(
        [
            -0.92466241,
            -0.42534393,
            -2.6438458,
            0.14518386,
            -0.12086657,
            -0.57972574,
            -0.62285155,
            -0.32838705,
            -1.0745417,
            -0.36314404,
            -1.6710502,
            2.2655048,
        ],
        **CLOSE,
    )
    assert values(generator.randn([4])) == pytest.approx(
        [0.18082581, -0.55226266, 0.9238134, -0.73497027], **CLOSE
    )


def test_the_noise_of_a_latent():
    drawn = PhiloxGenerator(1234).randn((1, 4, 64, 64))
    assert drawn.shape == (1, 4, 64, 64)
    assert drawn.dtype == torch.float32
    assert values(drawn)[:6] == pytest.approx(
        [-1.61649048, 0.56845522, -0.5102247, -0.9113394, -1.15551698, -0.2261509], **CLOSE
    )
    assert values(drawn)[-1] == pytest.approx(-1.68973792, **CLOSE)
    assert drawn.mean().item() == pytest.approx(0.006312757, **CLOSE)
    assert drawn.std(correction=0).item() == pytest.approx(1.0069147, **CLOSE)


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (2**32, [-0.0174249, 0.48645717, 0.78404695, -0.19194369]),
        (2**53, [-0.42604101, 1.28740656, 0.62043273, -0.19362403]),
        (2**64 - 1, [0.63230228, 0.03350098, 0.83908767, -2.06346822]),
        (-1, [0.63230228, 0.03350098, 0.83908767, -2.06346822]),
    ],
)
def test_seeds_of_64_bits(seed, expected):
    assert values(PhiloxGenerator(seed).randn([4])) == pytest.approx(expected, **CLOSE)


def test_a_draw_with_more_elements_than_a_card_has_threads():
    drawn = PhiloxGenerator(42, RTX_3060).randn([64, 2048])
    for place, expected in (
        ((0, slice(3)), (0.1940, 2.1614, -0.1721)),
        ((0, slice(-3, None)), (1.4540, -2.7733, -0.8932)),
        ((1, slice(3)), (-0.4574, 0.8063, 0.1580)),
        ((-3, slice(3)), (-0.4861, 0.3358, 1.0578)),
        ((-2, slice(3)), (0.7881, 0.8339, -1.1424)),
        ((-1, slice(3)), (-1.2356, -0.4083, -0.4695)),
        ((-1, slice(-3, None)), (-0.4841, 1.2850, -0.0282)),
    ):
        assert drawn[place].tolist() == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize("threads", [256, RTX_3060])
def test_each_draw_moves_on_by_the_counts_that_it_took(threads):
    """Of n elements with T threads, by ⌊(n − 1) / 4T⌋ + 1 each; the next begins there."""
    n = 4 * 256 * 3 + 5
    once = PhiloxGenerator(7, threads)
    once.randn([n])
    counts = (n - 1) // (4 * min(threads, 256 * -(-n // 256))) + 1
    steps = PhiloxGenerator(7)
    for _ in range(counts):
        steps.randn([1])
    assert torch.equal(once.randn([200]), steps.randn([200]))


def test_a_card_of_enough_threads_draws_as_a_card_for_any_picture():
    for n in (1, 4, 257, RTX_3060):
        assert torch.equal(PhiloxGenerator(3, RTX_3060).randn([n]), PhiloxGenerator(3).randn([n]))
    assert not torch.equal(PhiloxGenerator(3, 256).randn([600]), PhiloxGenerator(3).randn([600]))


def test_no_elements_are_a_draw():
    assert PhiloxGenerator(3).randn([0, 4]).shape == (0, 4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.version.cuda, reason="for NVIDIA's cards")
def test_the_card_here_draws_this():
    card = torch.cuda.get_device_properties(0)
    threads = card.multi_processor_count * card.max_threads_per_multi_processor
    theirs, ours = torch.Generator("cuda").manual_seed(42), PhiloxGenerator(42, threads)
    for n in (7, 16_384, threads, 3 * threads + 5, 9 * threads):
        drawn = torch.randn(n, generator=theirs, device="cuda").cpu()
        assert torch.allclose(drawn, ours.randn([n]), atol=2e-6)
