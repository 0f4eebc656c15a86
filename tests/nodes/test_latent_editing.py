"""Nodes that make latents of latents."""

from __future__ import annotations

import pytest
import torch

from helpers.node_context import FakeContext
from ponystudio.api import Latent, Mask
from ponystudio.diffusion.images.latent_arithmetic import interpolated
from ponystudio.errors import MismatchedValues
from ponystudio_nodes.latent_editing import (
    add_latents,
    blend_latents,
    composite_latent,
    crop_latent,
    flip_latent,
    interpolate_latents,
    join_batches,
    multiply_latent,
    pick_batch,
    repeat_batch,
    rotate_latent,
    set_batch_noise,
    subtract_latents,
)
from ponystudio_nodes.latents import scale_latent


def latent(*shape: int, seed: int = 1, **more) -> Latent:
    return Latent(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), **more)


def ones(*size: int) -> Latent:
    return Latent(torch.ones(1, 4, *size))


EMPTY = Latent(torch.zeros(1, 4, 6, 6))


def test_feathering_falls_towards_sides_within_the_picture() -> None:
    at_the_top = composite_latent(EMPTY, ones(3, 3), x=16, y=0, feather=16).values[0, 2]
    assert at_the_top[:3, 2:5].tolist() == [[0.5, 1, 0.5], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]
    assert at_the_top.sum() == 5
    inside = composite_latent(EMPTY, ones(4, 4), x=16, y=16, feather=16).values[0, 0, 2:, 2:]
    assert inside.tolist() == [[0.25, 0.5, 0.5, 0.5], *[[0.5, 1, 1, 1]] * 3]


def test_a_latent_is_pasted_by_cells_and_by_a_mask() -> None:
    found = composite_latent(EMPTY, ones(2, 2), x=47, y=-1).values[0, 0]
    assert found[0].tolist() == [0, 0, 0, 0, 0, 1]
    assert found.sum() == 1
    mask = Mask(torch.tensor([[1.0, 0], [0, 0.5]]).view(1, 1, 2, 2))
    found = composite_latent(EMPTY, ones(2, 2), mask, x=8, y=8).values[0, 1, 1:3, 1:3]
    assert found.tolist() == [[1, 0], [0, 0.5]]
    assert composite_latent(EMPTY, ones(2, 2), resize=True).values.sum() == 4 * 36
    sd3 = Latent(torch.ones(1, 16, 2, 2), "sd3")
    grown = composite_latent(EMPTY, sd3)
    assert (grown.values.shape[1], grown.family) == (16, "sd3")


def test_latents_of_different_families_are_told_apart() -> None:
    a, b = latent(1, 4, 8, 8, family="sd1"), latent(1, 4, 8, 8, family="sdxl")
    for node in (composite_latent, add_latents, interpolate_latents, join_batches):
        with pytest.raises(MismatchedValues, match="nothing but noise"):
            node(a, b)
    with pytest.raises(MismatchedValues, match="16 channels does not fit one of 4"):
        add_latents(latent(1, 4, 8, 8), latent(1, 16, 8, 8))


def test_arithmetic() -> None:
    a, b = latent(3, 4, 6, 8, family="sd1"), latent(1, 4, 6, 8, seed=2)
    assert torch.equal(add_latents(a, b).values, a.values + b.values)
    assert torch.equal(subtract_latents(a, b).values, a.values - b.values)
    assert torch.equal(multiply_latent(a, factor=-2.0).values, -2 * a.values)
    blended = blend_latents(a, b, ratio=0.75)
    assert torch.allclose(blended.values, 0.75 * a.values + 0.25 * b.values)
    assert blended.family == "sd1"
    pair = latent(2, 4, 6, 8, seed=3)
    assert torch.equal(
        add_latents(a, pair).values - a.values, (a.values + pair.values[[0, 1, 0]]) - a.values
    )
    larger = Latent(torch.full((1, 4, 12, 40), 2.0))
    assert torch.equal(subtract_latents(a, larger).values, a.values - 2)


def test_between_two_latents_direction_and_length_go_apart() -> None:
    a, b = torch.tensor([3.0, 0]).view(1, 2, 1, 1), torch.tensor([0, 1.0]).view(1, 2, 1, 1)
    half = interpolated(a, b, 0.5).flatten()
    assert half.tolist() == pytest.approx([2 / 2**0.5, 2 / 2**0.5])  # 45°, of length 2
    quarter = interpolated(a, b, 0.25).flatten()
    assert quarter.norm().item() == pytest.approx(0.25 * 3 + 0.75)
    assert (quarter[1] / quarter[0]).item() == pytest.approx(3)
    x, y = latent(2, 4, 5, 6), latent(2, 4, 5, 6, seed=2)
    assert torch.allclose(interpolate_latents(x, y, ratio=1.0).values, x.values, atol=1e-6)
    assert torch.allclose(interpolate_latents(x, y, ratio=0.0).values, y.values, atol=1e-6)
    empty = Latent(torch.zeros(2, 4, 5, 6))
    assert torch.allclose(interpolate_latents(x, empty, ratio=0.5).values, x.values / 2, atol=1e-6)


def test_masks_go_with_what_is_cut_and_turned() -> None:
    cells = torch.arange(12 * 16.0).view(1, 1, 12, 16)
    mask = cells.repeat_interleave(8, 2).repeat_interleave(8, 3)
    whole = Latent(cells.expand(1, 4, -1, -1), mask=mask, shown=cells.expand(1, 4, -1, -1))

    def seen(found: Latent) -> torch.Tensor:
        assert torch.equal(found.mask[..., ::8, ::8], found.values[:, :1])
        assert torch.equal(found.shown, found.values)
        return found.values[0, 0]

    assert torch.equal(
        seen(crop_latent(whole, x=17, y=8, width=31, height=500)), cells[0, 0, 1:, 2:5]
    )
    assert torch.equal(seen(crop_latent(whole, x=999, y=999)), cells[0, 0, 4:, 8:])
    assert torch.equal(seen(flip_latent(whole)), cells[0, 0].flip(1))
    assert torch.equal(seen(flip_latent(whole, direction="vertical")), cells[0, 0].flip(0))
    clockwise = seen(rotate_latent(whole))
    assert clockwise.shape == (16, 12)
    assert clockwise[0, -1] == 0
    assert torch.equal(seen(rotate_latent(whole, degrees="180")), cells[0, 0].flip(0, 1))
    assert seen(rotate_latent(whole, degrees="270"))[-1, 0] == 0


def test_a_latent_is_scaled_to_a_size_in_pixels() -> None:
    wide = latent(1, 4, 8, 16)

    def size(**how) -> tuple[int, ...]:
        return tuple(scale_latent(wide, **how).values.shape[-2:])

    assert scale_latent(wide, width=0, height=0) is wide
    assert size(width=527, height=300) == (37, 65)
    assert size(width=512, height=0) == (32, 64)
    assert size(width=0, height=320) == (40, 80)
    assert size(width=8, height=8) == (8, 8)  # at least 64 pixels
    assert size(width=0, height=8) == (8, 16)


def test_scaled_latents_are_cut_around_the_centre_with_their_masks() -> None:
    cells = torch.arange(16.0).expand(1, 4, 8, 16)
    mask = cells[:, :1].repeat_interleave(8, 2).repeat_interleave(8, 3)
    for ours in (mask, cells[:, :1]):  # a mask may lie over a latent in any size
        whole = Latent(cells, mask=ours, shown=cells)
        found = scale_latent(whole, width=128, height=128, crop="center")
        assert found.values[0, 0, 0].tolist() == [n for n in range(4, 12) for _ in (0, 1)]
        assert torch.equal(found.shown, found.values)
        assert torch.equal(found.mask.unique(), torch.arange(4.0, 12))
    stretched = scale_latent(Latent(cells, mask=mask), width=128, height=128)
    assert torch.equal(stretched.mask, mask)
    assert stretched.values[0, 0, 0].tolist() == cells[0, 0, 0].tolist()


def test_batches_are_repeated_picked_and_joined() -> None:
    context = FakeContext()
    batch = latent(3, 4, 8, 8, mask=torch.rand(3, 1, 64, 64), shown=torch.rand(1, 4, 8, 8))
    picked = pick_batch(batch, start=1, count=2, ctx=context)
    assert picked.batch_index == (1, 2)
    assert torch.equal(picked.values, batch.values[1:])
    assert torch.equal(picked.mask, batch.mask[1:])
    assert picked.shown is batch.shown
    again = pick_batch(picked, start=1, ctx=context)
    assert again.batch_index == (2,)
    assert context.notes == []
    assert pick_batch(batch, start=2, count=9, ctx=context).batch_index == (2,)
    assert "there are 1, from number 2" in context.notes.pop()

    twice = repeat_batch(batch, times=2)
    assert twice.batch_index is None
    assert torch.equal(twice.values[3:], batch.values)
    assert len(twice.mask) == 6
    assert repeat_batch(picked, times=3).batch_index == (1, 2, 3, 4, 5, 6)
    apart = pick_batch(batch, start=0, ctx=context)
    apart = Latent(torch.cat([apart.values, batch.values[2:]]), batch_index=(0, 2))
    assert repeat_batch(apart, times=2).batch_index == (0, 2, 3, 5)

    assert set_batch_noise(picked).batch_index == (1, 1)
    assert set_batch_noise(batch).batch_index == (0, 0, 0)
    assert set_batch_noise(picked, noise="different").batch_index is None

    joined = join_batches(picked, repeat_batch(again, times=2))
    assert joined.batch_index == (1, 2, 2, 3)
    assert torch.equal(joined.values[:2], picked.values)
    assert joined.mask.shape == (4, 1, 64, 64)
    assert joined.shown.shape == (4, 4, 8, 8)
    plain = join_batches(latent(2, 4, 8, 8), latent(1, 4, 16, 32, mask=torch.zeros(1, 1, 8, 16)))
    assert plain.batch_index == (0, 1, 0)
    assert plain.values.shape == (3, 4, 8, 8)
    assert plain.mask.mean(dim=(1, 2, 3)).tolist() == [1, 1, 0]
    with pytest.raises(MismatchedValues, match="Only one of the two"):
        join_batches(batch, latent(1, 4, 8, 8))
