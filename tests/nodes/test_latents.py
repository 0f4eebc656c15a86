"""Graphs of the latent nodes, run whole on a tiny checkpoint: what each of them means."""

from __future__ import annotations

import numpy
import pytest
import torch
from PIL import Image

from helpers import checkpoints
from helpers.cut_outs import disc
from helpers.node_context import FakeContext
from ponystudio.api import Image as Picture
from ponystudio.api import Latent, Mask, Vae
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.headless import run_graph
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.run_events import Note
from ponystudio.errors import MismatchedValues
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes import latents

SIDE = 64


def make(id, type, /, **given):
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"core.{type}", params=params, inputs=links)


LOADERS = (
    make("checkpoint", "load_checkpoint", file="m.safetensors"),
    make("positive", "encode_prompt", text="a pony", clip=("checkpoint", "clip")),
    make("negative", "encode_prompt", text="", clip=("checkpoint", "clip")),
)


def sampled(id, latent, **more):
    return make(
        id, "sample", model=("checkpoint", "model"), latent=(latent, "latent"),
        positive=("positive", "conditioning"), negative=("negative", "conditioning"),
        **{"steps": 3, "seed": 5, **more},
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "input", "latents"):
        (root / folder).mkdir()
    checkpoints.micro(root / "checkpoints" / "m.safetensors")
    noise = numpy.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=numpy.uint8)
    Image.fromarray(noise).save(root / "input" / "picture.png")
    mask = numpy.zeros((SIDE, SIDE), numpy.uint8)
    mask[:, SIDE // 2 :] = 255
    Image.fromarray(mask).convert("RGB").save(root / "input" / "mask.png")
    # Of 79 columns 3 and 4 are cut off: what was at 43 is at 40 then, where cells begin.
    wide = numpy.random.default_rng(1).integers(0, 256, (SIDE, 79, 3), dtype=numpy.uint8)
    Image.fromarray(wide).save(root / "input" / "wide.png")
    Image.fromarray(wide[:, 3:75]).save(root / "input" / "cut.png")
    hole = numpy.zeros((SIDE, 79), numpy.uint8)
    hole[:, 43:] = 255
    Image.fromarray(hole).convert("RGB").save(root / "input" / "wide-mask.png")
    cut_out = numpy.dstack((wide, 255 - hole))
    Image.fromarray(cut_out).save(root / "input" / "cut-out.png")
    return root


@pytest.fixture(scope="module")
def packs(root):
    return load_packs(root / "none")


@pytest.fixture
def latent_of(root, packs, tmp_path):
    """Runs nodes and gives the latents [B,C,h,w] that come out of the named ones."""

    def run(nodes, *names, on_event=lambda _: None):
        saves = [make(f"save_{n}", "save_latent", latent=(n, "latent"), prefix=n) for n in names]
        run_graph(
            Graph.of(*LOADERS, *nodes, *saves),
            folders=ModelFolders([root]),
            output=tmp_path,
            device="cpu",
            dtype="fp32",
            packs=packs,
            on_event=on_event,
        )
        return [read_latent(tmp_path / f"{name}_00001.latent")[0] for name in names]

    return run


ENCODED = (
    make("picture", "load_image", file="picture.png"),
    make("encoded", "encode_image", vae=("checkpoint", "vae"), image=("picture", "image")),
)


def test_denoise_keeps_more_of_a_picture_the_smaller_it_is(latent_of):
    nodes = [
        *ENCODED,
        sampled("none", "encoded", denoise=0.0),
        sampled("little", "encoded", denoise=0.2, steps=5),
        sampled("much", "encoded", denoise=0.9, steps=5),
    ]
    encoded, none, little, much = latent_of(nodes, "encoded", "none", "little", "much")
    assert torch.equal(none, encoded)
    assert 0 < (little - encoded).norm() < (much - encoded).norm()


def test_a_mask_keeps_what_it_does_not_cover(latent_of):
    nodes = [
        *ENCODED,
        make("black_and_white", "load_image", file="mask.png"),
        make("mask", "mask_from_image", image=("black_and_white", "image")),
        make("masked", "mask_latent", latent=("encoded", "latent"), mask=("mask", "mask")),
        sampled("painted", "masked"),
    ]
    encoded, painted = latent_of(nodes, "encoded", "painted")
    middle = encoded.shape[-1] // 2
    kept, changed = (painted - encoded)[..., : middle - 1], (painted - encoded)[..., middle + 1 :]
    assert kept.abs().max() < 1e-4
    assert changed.abs().mean() > 0.1


def test_the_second_pass_of_a_hires_fix(latent_of):
    nodes = [
        make("empty", "empty_latent", width=SIDE, height=SIDE),
        sampled("first", "empty"),
        make("scaled", "scale_latent_by", latent=("first", "latent"), factor=1.5, method="bislerp"),
        sampled("second", "scaled", denoise=0.5, steps=4),
    ]
    first, scaled, second = latent_of(nodes, "first", "scaled", "second")
    assert first.shape == (1, 4, 8, 8)
    assert scaled.shape == second.shape == (1, 4, 12, 12)
    assert not torch.equal(scaled, second)


def test_a_batch_begins_with_the_single_picture(latent_of):
    nodes = [
        make("one", "empty_latent", width=SIDE, height=SIDE),
        make("two", "empty_latent", width=SIDE, height=SIDE, batch=2),
        sampled("single", "one"),
        sampled("pair", "two"),
    ]
    single, pair = latent_of(nodes, "single", "pair")
    assert pair.shape == (2, 4, 8, 8)
    assert (pair[:1] - single).norm() < 1e-4 * single.norm()
    assert (pair[1] - pair[0]).abs().max() > 0.1


def test_a_saved_latent_loads_as_it_was(latent_of, root, tmp_path):
    (first,) = latent_of([*ENCODED], "encoded")
    (tmp_path / "encoded_00001.latent").rename(root / "latents" / "kept.latent")
    nodes = [make("loaded", "load_latent", file="kept.latent")]
    assert torch.equal(latent_of(nodes, "loaded")[0], first)


def test_decoding_and_encoding_in_tiles_comes_close(latent_of):
    nodes = [
        *ENCODED,
        make("image", "decode_latent", vae=("checkpoint", "vae"), latent=("encoded", "latent")),
        make("whole", "encode_image", vae=("checkpoint", "vae"), image=("image", "image")),
        make("tiled", "encode_image", vae=("checkpoint", "vae"), image=("image", "image"), tile=64),
    ]
    whole, tiled = latent_of(nodes, "whole", "tiled")
    assert torch.equal(whole, tiled)  # one tile holds the whole picture


def test_a_latent_of_another_family_is_refused(latent_of, root):
    from ponystudio.diffusion.images.latent_file import latent_bytes

    (root / "latents" / "xl.latent").write_bytes(latent_bytes(torch.ones(1, 4, 8, 8), "sdxl", {}))
    nodes = [make("loaded", "load_latent", file="xl.latent"), sampled("painted", "loaded")]
    with pytest.raises(
        MismatchedValues, match=r"painted.*made for SDXL, the model is Stable Diffusion 1"
    ):
        latent_of(nodes, "painted")


def wide(name="wide.png"):
    return (
        make("picture", "load_image", file=name),
        make("encoded", "encode_image", vae=("checkpoint", "vae"), image=("picture", "image")),
        make("drawn", "load_image", file="wide-mask.png"),
        make("mask", "mask_from_image", image=("drawn", "image")),
    )


def test_a_mask_is_cut_as_its_picture_is_and_both_are_told(latent_of):
    """On the same cells: nothing to the left of the mask's border changes, all to the right."""
    events = []
    nodes = [
        *wide(),
        make("masked", "mask_latent", latent=("encoded", "latent"), mask=("mask", "mask")),
        sampled("painted", "masked"),
    ]
    encoded, painted = latent_of(nodes, "encoded", "painted", on_event=events.append)
    assert encoded.shape == (1, 4, 8, 9)
    changed = (painted - encoded).abs().amax((0, 1, 2))
    assert changed[:5].max() < 1e-4
    assert changed[5:].min() > 0.01
    notes = [(event.node, event.text) for event in events if isinstance(event, Note)]
    assert [node for node, _ in notes] == ["encoded"]
    assert "cut from 79×64 to 72×64" in notes[0][1]


def test_a_picture_cut_by_hand_gives_the_same_latent(latent_of):
    (whole,) = latent_of([*wide()], "encoded")
    (cut,) = latent_of([*wide("cut.png")], "encoded")
    assert torch.equal(whole, cut)


def test_a_mask_of_another_size_is_told(latent_of):
    events = []
    nodes = [
        *ENCODED,
        make("drawn", "load_image", file="wide-mask.png"),
        make("mask", "mask_from_image", image=("drawn", "image")),
        make("small", "scale_mask", mask=("mask", "mask"), width=32, height=32),
        make("stretched", "mask_latent", latent=("encoded", "latent"), mask=("mask", "mask")),
        make("scaled", "mask_latent", latent=("encoded", "latent"), mask=("small", "mask")),
        sampled("a", "stretched"),
        sampled("b", "scaled"),
    ]
    latent_of(nodes, "a", "b", on_event=events.append)
    notes = {event.node: event.text for event in events if isinstance(event, Note)}
    assert notes.keys() == {"stretched", "scaled"}
    assert "79×64 pixels, the picture 64×64: it was stretched" in notes["stretched"]
    assert "32×32 pixels, the picture 64×64: it was scaled" in notes["scaled"]


class Cells:
    """An autoencoder without weights: what it is shown is what it gives."""

    downscale = 8

    def encode(self, pixels, *, tile=None, on_tile=None):
        return pixels


def test_the_hole_of_a_cut_picture_is_where_it_was_painted():
    pixels = torch.linspace(0.6, 0.9, 79).expand(1, 3, 64, 79)
    hole = torch.zeros(1, 1, 64, 79)
    hole[..., 43:] = 1
    alpha = torch.ones(1, 1, 64, 79)
    alpha[..., :11, :] = 0
    ctx = FakeContext({"v": Cells()})
    vae = Vae("v", "content", "sd1")
    latent, mask, seen = latents.encode_for_inpainting(
        vae, Picture(pixels), Mask(hole), Mask(alpha), ctx=ctx
    )
    assert latent.values.shape == latent.shown.shape == (1, 3, 64, 72)
    assert latent.mask.shape == mask.values.shape == seen.values.shape == (1, 1, 64, 72)
    assert torch.equal(latent.mask, hole[..., 3:75])
    assert torch.equal(seen.values, alpha[..., 3:75])
    assert torch.equal(latent.shown[..., :40], latent.values[..., :40])
    assert bool((latent.shown[..., 40:] == 0.5).all())
    assert len(ctx.notes) == 1
    small = Mask(torch.zeros(1, 1, 32, 32))
    latents.encode_for_inpainting(vae, Picture(pixels), small, ctx=ctx)
    assert "32×32 pixels, the picture 79×64: it was stretched" in ctx.notes[1]


def test_a_filled_hole_keeps_nothing_of_what_was_there():
    """The picture is cut, its hole, where the mask is rather white, grey, and grown to repaint."""
    pixels = torch.linspace(0.6, 0.9, 79).expand(1, 3, 64, 79)
    hole = torch.zeros(1, 1, 64, 79)
    hole[..., 20:30, 43:] = 0.6
    hole[..., :10, :] = 0.4
    ctx = FakeContext({"v": Cells()})
    vae, picture = Vae("v", "content", "sd1"), Picture(pixels)
    latent, _, seen = latents.fill_for_inpainting(vae, picture, Mask(hole), grow=0, ctx=ctx)
    cut = hole[..., 3:75].round()
    assert torch.equal(latent.mask, cut)
    assert latent.shown is None
    assert torch.allclose(latent.values, (pixels[..., 3:75] - 0.5) * (1 - cut) + 0.5)
    assert bool((seen.values == 1).all())
    wide = latents.fill_for_inpainting(vae, picture, Mask(hole), ctx=ctx).mask.values[0, 0]
    assert wide.nonzero().amin(0).tolist() == [18, 38]  # grown by 6: two pixels up, three down
    assert wide.nonzero().amax(0).tolist() == [32, 71]


def test_a_picture_of_a_batch_is_made_again_with_its_noise(latent_of):
    nodes = [
        make("two", "empty_latent", width=SIDE, height=SIDE, batch=2),
        make("second", "pick_batch", latent=("two", "latent"), start=1),
        sampled("pair", "two", sampler="euler"),
        sampled("again", "second", sampler="euler"),
    ]
    pair, again = latent_of(nodes, "pair", "again")
    assert again.shape == (1, 4, 8, 8)
    assert (pair[1:] - again).norm() < 1e-4 * again.norm()
    assert (pair[:1] - again).norm() > 0.1 * again.norm()


def test_more_masks_than_pictures_are_refused():
    ctx = FakeContext({"v": Cells()})
    vae, pair = Vae("v", "content", "sd1"), Mask(torch.zeros(2, 1, 64, 64))
    picture = Picture(torch.zeros(3, 3, 64, 64))
    with pytest.raises(MismatchedValues, match="2 masks cannot apply to 3 pictures"):
        latents.encode_for_inpainting(vae, picture, pair, ctx=ctx)
    with pytest.raises(MismatchedValues, match="2 masks cannot apply to 3 pictures"):
        latents.mask_latent(Latent(torch.zeros(3, 4, 8, 8)), pair, ctx=ctx)


def test_hidden_colours_are_not_encoded():
    picture, alpha = disc(79, light=(0.9, 0.8, 0.7))
    ctx = FakeContext({"v": Cells()})
    latent, mask = latents.encode_image(Vae("v", "content", "sd1"), picture, alpha, ctx=ctx)
    wanted = torch.tensor([0.9, 0.8, 0.7]).view(1, 3, 1, 1).expand(1, 3, 72, 72)
    assert torch.allclose(latent.values, wanted)
    assert torch.equal(mask.values, alpha.values[..., 3:75, 3:75])
    plain, mask = latents.encode_image(Vae("v", "content", "sd1"), picture, ctx=ctx)
    assert torch.equal(plain.values, picture.pixels[..., 3:75, 3:75])
    assert torch.equal(mask.values, torch.ones(1, 1, 72, 72))


def test_what_a_model_for_inpainting_is_shown_is_scaled_too():
    values = torch.rand(1, 4, 8, 9)
    latent = Latent(values, "sd1", mask=torch.ones(1, 1, 64, 72), shown=values)
    scaled = latents.scale_latent_by(latent, factor=1.5, method="bilinear")
    assert torch.equal(scaled.shown, scaled.values)
    assert scaled.values.shape == (1, 4, 12, 14)


@pytest.mark.parametrize("cells", [(1, 100), (100, 1)])
def test_a_cut_to_other_proportions_keeps_a_row_and_a_column(cells):
    thin = Latent(torch.randn(1, 4, *cells), mask=torch.ones(1, 1, *cells))
    for width, height in ((64, 2048), (2048, 64)):
        made = latents.scale_latent(thin, width=width, height=height, crop="center")
        assert made.values.shape[-2:] == (height // 8, width // 8)
        assert made.mask.numel()


def test_an_empty_latent_tells_its_size_where_it_is_another():
    ctx = FakeContext()
    assert latents.empty_latent(width=79, height=64, ctx=ctx).values.shape == (1, 4, 8, 9)
    assert "72×64 pixels instead of 79×64" in ctx.notes.pop()
    latents.empty_latent(width=72, height=64, ctx=ctx)
    assert ctx.notes == []


def test_a_cut_out_keeps_its_transparency_to_the_end(latent_of, tmp_path):
    """Scaled, changed, enlarged and saved: each hands on the alpha that fits its picture."""
    nodes = [
        make("picture", "load_image", file="cut-out.png"),
        make("scaled", "scale_image", image=("picture", "image"), alpha=("picture", "mask"),
             width=107, height=0),
        make("encoded", "encode_image", vae=("checkpoint", "vae"), image=("scaled", "image"),
             alpha=("scaled", "mask")),
        sampled("changed", "encoded", denoise=0.5),
        make("image", "decode_latent", vae=("checkpoint", "vae"), latent=("changed", "latent")),
        make("saved", "save_image", image=("image", "image"), alpha=("encoded", "mask"),
             prefix="result"),
    ]  # fmt: skip
    latent_of(nodes, "changed")
    with Image.open(tmp_path / "result_00001.png") as picture:
        assert (picture.size, picture.mode) == ((104, 80), "RGBA")
        alpha = numpy.asarray(picture.getchannel("A"))
    assert (alpha[:, :50] == 255).all()
    assert (alpha[:, 65:] == 0).all()


def test_the_ways_of_working_that_people_share(latent_of, root, tmp_path):
    """Outpainting and pasting back, a second pass at a size, latents composed half-way, a batch
    from one latent and one of it again, numbers of a picture as those of another."""
    nodes = [
        make("picture", "load_image", file="picture.png"),
        make("border", "pad_image", image=("picture", "image"), left=32, bottom=16, feather=8),
        make("hole", "fill_for_inpainting", vae=("checkpoint", "vae"), image=("border", "image"),
             mask=("border", "mask")),
        sampled("outside", "hole"),
        make("painted", "decode_latent", vae=("checkpoint", "vae"), latent=("outside", "latent")),
        make("pasted", "composite_image", image=("border", "image"), source=("painted", "image"),
             mask=("border", "mask")),
        make("saved", "save_image", image=("pasted", "image"), prefix="%border.left%/p"),
        make("size", "image_size", image=("border", "image")),
        make("empty", "empty_latent", width=("size", "width"), height=("size", "height")),
        sampled("first", "empty"),
        make("large", "scale_latent", latent=("first", "latent"), width=128, height=0,
             method="bislerp"),
        sampled("second", "large", denoise=0.5),
        make("both", "composite_latent", latent=("second", "latent"), source=("first", "latent"),
             x=16, y=16, feather=16),
        sampled("composed", "both", denoise=0.6),
        make("three", "repeat_batch", latent=("composed", "latent"), times=3),
        make("third", "pick_batch", latent=("three", "latent"), start=2),
        sampled("again", "third", denoise=0.6),
        sampled("all", "three", denoise=0.6),
    ]  # fmt: skip
    outside, second, composed, again, every = latent_of(
        nodes, "outside", "second", "composed", "again", "all"
    )
    assert outside.shape == (1, 4, 10, 12)
    assert second.shape == composed.shape == (1, 4, 13, 16)
    assert all(bool(found.isfinite().all()) for found in (outside, composed, every))
    assert (every[2:] - again).norm() < 1e-3 * again.norm()
    with Image.open(tmp_path / "32" / "p_00001.png") as result:
        assert result.size == (96, 80)
        pixels = numpy.asarray(result)[: SIDE - 8, 32 + 8 :]
    with Image.open(root / "input" / "picture.png") as before:
        assert numpy.array_equal(pixels, numpy.asarray(before.convert("RGB"))[:56, 8:])
