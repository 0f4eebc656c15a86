"""Pictures as prompts: nodes called as functions, and graphs of them run to a picture."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from PIL import Image as Picture
from safetensors.torch import save_file

from helpers import flows, relatives, visions
from helpers.core_graphs import checkpoint, core, picture, prompted
from helpers.flow_files import FORMS
from helpers.node_context import FakeContext
from ponystudio.api import Conditioning, Entry, StyleModel, VisionOutput
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.headless import run_graph
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.errors import MismatchedValues, PonyStudioError
from ponystudio.graph.model import Graph, Link
from ponystudio.library.model_folders import ModelFolders
from ponystudio_nodes.image_prompts import apply_style_model, apply_unclip


def words(family="flux", n=4, **options):
    return Conditioning((Entry(torch.zeros(1, n, 2), **options),), family)


def seen(batch=1, n=3):
    return VisionOutput(torch.ones(batch, 5), torch.ones(batch, n, 2), torch.ones(batch, n, 2))


class TestPictureAsPrompt:
    def test_pictures_add_up(self):
        once = apply_unclip(words("sd2"), seen(2), strength=0.5, noise=0.1)
        (entry,) = apply_unclip(once, seen()).entries
        assert [(one.strength, one.noise) for one in entry.unclip] == [(0.5, 0.1)] * 2 + [(1, 0)]
        assert [one.embed.shape for one in entry.unclip] == [(5,)] * 3

    def test_no_strength_is_no_picture(self):
        before = words("sd2")
        assert apply_unclip(before, seen(), strength=0.0) is before

    def test_an_encoder_that_says_nothing_of_the_whole(self):
        with pytest.raises(MismatchedValues, match="as a whole"):
            apply_unclip(words("sd2"), replace(seen(), embeds=None))


class TestPictureAsStyle:
    def applied(self, before, seen, **how):
        style = {"redux": lambda hidden: hidden * 10}
        recipe = StyleModel("redux", "content", "flux")
        return apply_style_model(before, recipe, seen, ctx=FakeContext(style), **how).entries[0]

    def test_its_words_stand_behind_the_prompts(self):
        entry = self.applied(words(), seen(batch=2), strength=0.5)
        assert entry.context[0, :, 0].tolist() == [0] * 4 + [5] * 6
        assert entry.bias is None

    def test_by_attention_they_are_as_they_are(self):
        once = self.applied(words(), seen(), strength=0.5, by="attention")
        assert once.context[0, :, 0].tolist() == [0] * 4 + [10] * 3
        assert once.bias.tolist() == [pytest.approx([0] * 4 + [math.log(0.5)] * 3)]
        # What another node has put behind them meanwhile counts as usual.
        longer = replace(once, context=torch.zeros(1, 9, 2))
        twice = self.applied(Conditioning((longer,), "flux"), seen(n=1))
        assert twice.bias.tolist() == [pytest.approx([0] * 4 + [math.log(0.5)] * 3 + [0] * 3)]

    def test_without_any_attention_they_are_left_out(self):
        before = words()
        assert self.applied(before, seen(), strength=0.0, by="attention") is before.entries[0]

    def test_for_flux_alone(self):
        with pytest.raises(MismatchedValues, match="FLUX"):
            self.applied(words("sdxl"), seen())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """An unCLIP model and FLUX.1 with Redux, as people have them, and a picture."""
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "clip_vision", "style_models", "input"):
        (root / folder).mkdir()
    relatives.write("sd2 unclip", root / "checkpoints" / "unclip.safetensors")
    relatives.write("sd2", root / "checkpoints" / "sd2.safetensors")
    relatives.write("sdxl", root / "checkpoints" / "sdxl.safetensors")
    FORMS["in parts"].write("flux", root)
    for kind in ("clip", "siglip"):
        visions.write(root / "clip_vision" / f"{kind}.safetensors", visions.state(kind))
    wide = visions.state("clip")
    wide["visual_projection.weight"] = torch.zeros(24, 32)
    visions.write(root / "clip_vision" / "wide.safetensors", wide)
    # As wide as the pooled prompt of the tiny SDXL.
    pooled = visions.state("clip")
    pooled["visual_projection.weight"] = torch.ones(64, 32) / 6
    visions.write(root / "clip_vision" / "bigG.safetensors", pooled)
    narrow = {"vision_model.embeddings.patch_embedding.weight": torch.zeros(24, 3, 7, 7)}
    narrow |= {"vision_model.embeddings.position_embedding.weight": torch.zeros(16, 24)}
    narrow |= {"vision_model.encoder.layers.0.mlp.fc1.weight": torch.zeros(48, 24)}
    visions.write(root / "clip_vision" / "narrow.safetensors", narrow)
    save_file(visions.redux().state_dict(), root / "style_models" / "redux.safetensors")
    Picture.effect_noise((40, 60), 90).convert("RGB").save(root / "input" / "a.png")
    return root


@pytest.fixture
def run(root, tmp_path):
    """The latent of a graph, and what was noted."""

    def run(*nodes):
        output, notes = tmp_path / str(len(list(tmp_path.iterdir()))), []
        run_graph(
            Graph.of(*nodes),
            folders=ModelFolders([root]),
            output=output,
            device="cpu",
            dtype="fp32",
            on_event=lambda event: notes.append(getattr(event, "text", "")),
        )
        latent, _ = read_latent(next(output.glob("*.latent")))
        assert latent.isfinite().all()
        assert next(output.glob("*.png"))
        return latent, " ".join(notes)

    return run


def looked(file="a.png", vision=("checkpoint", "vision")):
    return (
        core("image", "load_image", file=file),
        core("look", "encode_vision", vision=vision, image=("image", "image")),
    )


def unclip(**how):
    return core(
        "pictured",
        "apply_unclip",
        conditioning=("positive", "conditioning"),
        vision_output=("look", "vision_output"),
        **how,
    )


def test_variations_of_a_picture(run):
    plain = picture(*checkpoint("unclip.safetensors"))
    without, _ = run(*plain)
    varied, notes = run(*prompted(plain, *looked(), unclip(noise=0.1)))
    assert (varied - without).abs().max() > 0.01
    assert "picture" not in notes


def test_two_pictures_in_the_place_of_a_prompt_of_sdxl(run):
    """As ComfyUI's example of "revision" has it, with nothing for words."""
    plain = picture(*checkpoint("sdxl.safetensors"))
    nothing = core("nothing", "zero_prompt", conditioning=("positive", "conditioning"))
    without, _ = run(*prompted(plain, nothing))
    first = replace(unclip(strength=0.75), id="first")
    first = replace(first, inputs=first.inputs | {"conditioning": Link("nothing", "conditioning")})
    second = unclip(strength=0.5, noise=0.2)
    second = replace(second, inputs=second.inputs | {"conditioning": Link("first", "conditioning")})
    encoder = core("vision", "load_vision", file="bigG.safetensors")
    given = looked(vision=("vision", "vision"))
    revised, notes = run(*prompted(plain, encoder, *given, nothing, first, second))
    assert (revised - without).abs().max() > 0.001
    assert "picture" not in notes


def test_a_model_that_is_told_no_pictures_says_so(run):
    encoder = core("vision", "load_vision", file="clip.safetensors")
    given = looked(vision=("vision", "vision"))
    nodes = prompted(picture(*checkpoint("sd2.safetensors")), encoder, *given, unclip())
    _, notes = run(*nodes)
    assert "means nothing to this model of Stable Diffusion 2" in notes


def test_a_file_without_an_image_encoder(run):
    nodes = prompted(picture(*checkpoint("sd2.safetensors")), *looked(), unclip())
    with pytest.raises(PonyStudioError, match="no image encoder") as caught:
        run(*nodes)
    assert "core.load_vision" in caught.value.remedy


@pytest.mark.parametrize("by", ["factor", "attention"])
def test_a_picture_beside_the_words_of_flux(by, run):
    sources, gives = FORMS["in parts"].sources("flux")
    plain = picture(*sources, **gives, cfg=1.0)
    without, _ = run(*plain)
    nodes = (
        core("vision", "load_vision", file="siglip.safetensors"),
        core("style", "load_style_model", file="redux.safetensors"),
        *looked(vision=("vision", "vision")),
        core(
            "styled",
            "apply_style_model",
            conditioning=("positive", "conditioning"),
            style_model=("style", "style_model"),
            vision_output=("look", "vision_output"),
            strength=0.5,
            by=by,
        ),
    )
    styled, _ = run(*prompted(plain, *nodes))
    assert (styled - without).abs().max() > 0.001


def test_flux_attends_to_tokens_by_their_bias():
    """ln 2 is as good as having a token twice, −∞ as not having it."""
    from ponystudio.diffusion.families import find_family
    from ponystudio.diffusion.loading.denoiser import Denoiser

    denoiser, told = Denoiser(flows.network("flux"), find_family("flux")), flows.told("flux")
    context = told.pop("context")
    bias = torch.zeros(1, 7)
    bias[0, -1] = math.log(2)
    twice = denoiser(**told, context=torch.cat([context, context[:, -1:]], dim=1))
    once = denoiser(**told, context=context, bias=bias)
    torch.testing.assert_close(once, twice, atol=1e-4, rtol=0)
    bias[0, -1] = -math.inf
    never = denoiser(**told, context=context, bias=bias)
    torch.testing.assert_close(never, denoiser(**told, context=context[:, :-1]), atol=1e-4, rtol=0)
    assert (once - never).abs().max() > 0.001


def wrong(root, nodes):
    """What is said of a graph before anything runs: the socket and what is wrong there."""
    graph, folders = Graph.of(*nodes), ModelFolders([root])
    found = check_models(graph, load_packs(root / "none"), folders, graph.nodes)
    return [(f"{error.node}.{error.socket}", error.what) for error in found]


def test_an_image_encoder_of_another_width_is_told_before_the_run(root):
    encoder = core("vision", "load_vision", file="wide.safetensors")
    given = looked(vision=("vision", "vision"))
    nodes = prompted(picture(*checkpoint("unclip.safetensors")), encoder, *given, unclip())
    assert wrong(root, nodes) == [
        (
            "sampler.positive",
            "The model reads 16 features of a picture, and the image encoder gives 24.",
        )
    ]
    own = prompted(picture(*checkpoint("unclip.safetensors")), *looked(), unclip())
    assert wrong(root, own) == []


def test_a_style_model_for_another_family_and_another_encoder(root):
    nodes = prompted(
        picture(*checkpoint("sd2.safetensors")),
        core("vision", "load_vision", file="narrow.safetensors"),
        core("style", "load_style_model", file="redux.safetensors"),
        *looked(vision=("vision", "vision")),
        core(
            "styled",
            "apply_style_model",
            conditioning=("positive", "conditioning"),
            style_model=("style", "style_model"),
            vision_output=("look", "vision_output"),
        ),
    )
    narrow = (
        "styled.vision_output",
        "The style model reads 32 features of a picture, and the image encoder gives 24.",
    )
    assert wrong(root, nodes) == [
        (
            "styled.conditioning",
            "The style model is for FLUX.1, the prompt for Stable Diffusion 2.",
        ),
        narrow,
    ]
    sources, gives = FORMS["in parts"].sources("flux")
    assert wrong(root, prompted(picture(*sources, **gives, cfg=1.0), *nodes[-5:])) == [narrow]
