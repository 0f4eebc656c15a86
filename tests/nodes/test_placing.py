"""Texts that are placed: the node called as a function, and a graph run to a picture."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from helpers import checkpoints, flows, pipelines, visions
from helpers.core_graphs import checkpoint, core, picture, prompted
from helpers.denoisers import FunctionDenoiser, words
from helpers.node_context import FakeContext
from ponystudio.api import Area, Clip, Conditioning, Entry, Gligen, PlacedText
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.sampling.composition import Composition, Side, check_areas
from ponystudio.diffusion.sampling.parameterisation import VP
from ponystudio.engine.headless import run_graph
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.errors import MismatchedValues
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes.placing import place_text

GLIGEN = Gligen("gligen", "content", "sd1")
CLIP = Clip("clip", "content", "sd1")


class Encoder:
    def summary(self, text):
        return torch.full((1, 3), float(len(text)))


class TestNode:
    def placed(self, before, clip=CLIP, **params):
        return place_text(before, clip, GLIGEN, ctx=FakeContext({"clip": Encoder()}), **params)

    def test_boxes_of_every_entry_add_up(self):
        two = Conditioning((Entry(torch.zeros(1, 4, 3)),) * 2, "sd1")
        once = self.placed(two, text="a ball", x=8, y=16, width=64, height=32)
        for entry in self.placed(once, text="a cat").entries:
            first, second = entry.boxes
            assert first.area == Area(8, 16, 64, 32)
            assert first.words.tolist() == [[6.0] * 3]
            assert second.words.tolist() == [[5.0] * 3]
            assert entry.recipes == (GLIGEN, GLIGEN)

    def test_for_prompts_of_its_family_alone(self):
        with pytest.raises(MismatchedValues, match="GLIGEN model is for Stable Diffusion 1"):
            self.placed(words(torch.zeros(1, 4, 3), "sdxl"))
        with pytest.raises(MismatchedValues, match="text encoder is for SDXL"):
            self.placed(words(torch.zeros(1, 4, 3)), Clip("clip", "content", "sdxl"))


class Layers:
    """GLIGEN's, which keep what they are asked."""

    def __init__(self):
        self.boxes, self.within = [], 0

    def tokens(self, words, boxes):
        self.boxes.append(boxes.tolist())
        return torch.zeros(1, 30, 3)

    @contextmanager
    def placed(self, module):
        self.within += 1
        yield
        self.within -= 1


def box(x, y, width, height, gligen=GLIGEN):
    return PlacedText(gligen, torch.zeros(1, 3), Area(x, y, width, height))


def entry(*boxes, **options):
    return Entry(torch.zeros(1, 4, 3), boxes=boxes, **options)


def seen_by(layers, *entries, networks=None):
    within = []

    def network(x, t, context):
        within.append(layers.within)
        return x

    denoiser = FunctionDenoiser(network)
    sees = Composition(
        denoiser,
        VP(),
        [Side((one,)) for one in entries],
        shape=(2, 4, 8, 16),
        networks=networks or {GLIGEN: layers},
    )
    sees(torch.zeros(2, 4, 8, 16), torch.tensor(1.0, dtype=torch.float64))
    assert all(within)
    return [extra for _, _, _, extra in denoiser.calls]


def test_boxes_are_shares_of_the_picture():
    layers = Layers()
    plain, placing = seen_by(layers, entry(), entry(box(32, 8, 64, 16), box(0, 0, 8, 64)))
    assert layers.boxes == [[[0.25, 0.125, 0.75, 0.375], [0, 0, 0.0625, 1]]]
    assert "places" not in plain
    assert placing["places"].shape == (2, 30, 3)


def test_or_of_the_area_of_their_prompt():
    layers = Layers()
    area = Area(64, 0, 64, 64)
    seen_by(layers, entry(), entry(box(64, 0, 32, 64), area=area))
    assert layers.boxes[0] == [[0, 0, 0.5, 1]]


def test_one_outside_the_picture_is_refused():
    with pytest.raises(MismatchedValues, match="outside the picture") as caught:
        check_areas([entry(box(128, 0, 64, 64))], (8, 16), 8, "positive")
    assert caught.value.socket == "positive"


def test_two_models_that_place_are_refused():
    other = Gligen("other", "content", "sd1")
    with pytest.raises(MismatchedValues, match="two GLIGEN models"):
        seen_by(
            Layers(),
            entry(box(0, 0, 8, 8)),
            entry(box(0, 0, 8, 8, other)),
            networks={GLIGEN: nullcontext(), other: nullcontext()},
        )


@torch.no_grad()
def test_words_are_one_vector_as_transformers_pools_them(tmp_path):
    path = checkpoints.micro(tmp_path / "m.safetensors")
    encoder = load(path, "clip", device="cpu", dtype=torch.float32)
    theirs = pipelines.sd1()["clip"]
    ids = torch.tensor([[49406, 320, 736, 1069, 49407] + [49407] * 72])
    expected = theirs(ids).pooler_output
    torch.testing.assert_close(encoder.summary("a red ball"), expected, atol=1e-4, rtol=0)
    encoder.close()


def test_a_picture_with_a_placed_text(tmp_path):
    root = tmp_path / "models"
    for folder in ("checkpoints", "gligen"):
        (root / folder).mkdir(parents=True)
    checkpoints.micro(root / "checkpoints" / "m.safetensors")
    arguments = {k: v for k, v in checkpoints.UNET.items() if not k.startswith("_")}
    gated = UNet2DConditionModel(**arguments, attention_type="gated")
    layers = visions.gligen(flows.randomised(gated, seed=5), {})
    save_file(layers, root / "gligen" / "g.safetensors")
    given = {
        "conditioning": ("positive", "conditioning"),
        "clip": ("checkpoint", "clip"),
        "gligen": ("gligen", "gligen"),
    }
    plain = picture(*checkpoint("m.safetensors"))
    placing = prompted(
        plain,
        core("gligen", "load_gligen", file="g.safetensors"),
        core("placed", "place_text", text="a ball", x=8, y=8, width=32, height=32, **given),
    )
    latents = []
    for number, nodes in enumerate((plain, placing)):
        output = tmp_path / str(number)
        run_graph(
            Graph.of(*nodes),
            folders=ModelFolders([root]),
            output=output,
            device="cpu",
            dtype="fp32",
        )
        latents.append(read_latent(next(output.glob("*.latent")))[0])
    assert latents[1].isfinite().all()
    assert (latents[0] - latents[1]).abs().max() > 0.001


def test_what_lies_outside_the_picture_is_told_before_the_run(tmp_path):
    given = {"conditioning": ("positive", "conditioning")}
    far = core("far", "set_area", x=640, y=0, width=64, height=64, **given)
    near = core("near", "set_area", x=32, y=32, width=640, height=64, **given)
    share = core("share", "set_area_share", x=0.5, y=0.5, **given)
    both = core(
        "both",
        "combine_prompts",
        first=("near", "conditioning"),
        second=("far", "conditioning"),
    )
    folders = ModelFolders([tmp_path])
    (tmp_path / "checkpoints").mkdir()
    checkpoints.micro(tmp_path / "checkpoints" / "m.safetensors")

    def told(*nodes):
        graph = Graph.of(*prompted(picture(*checkpoint("m.safetensors")), *nodes))
        found = check_models(graph, load_packs(tmp_path / "none"), folders, graph.nodes)
        return [(f"{error.node}.{error.socket}", error.what) for error in found]

    assert told(far, near, both) == [("far.x", "It begins at 640 pixels, and the picture has 64.")]
    assert told(near) == told(share) == []
