"""Graphs of SD2 and SDXL models, whole or in parts, as people wire them."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from helpers import relatives
from helpers.core_graphs import SIDE, core
from ponystudio.diffusion.images.latent_file import read_latent
from ponystudio.engine.headless import run_graph
from ponystudio.engine.node_packs import load_packs
from ponystudio.errors import WrongKind
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders

SAMPLED = ("checkpoint", "model")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Model folders with SDXL whole and in parts, SD2, an inpainting model and two LoRAs."""
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "diffusion_models", "text_encoders", "loras", "vae"):
        (root / folder).mkdir()
    relatives.write("sdxl", root / "checkpoints" / "xl.safetensors")
    relatives.write("sd2", root / "checkpoints" / "sd2.safetensors")
    relatives.write("sdxl", root / "checkpoints" / "inpaint.safetensors", in_channels=9)
    _write_parts(root)
    _write_real_lora(root / "loras" / "xl.safetensors")
    for name, seed in (("one", 1), ("two", 2)):
        torch.manual_seed(seed)
        layer = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
        pair = {f"{layer}.lora_down.weight": torch.randn(2, 64)}
        pair[f"{layer}.lora_up.weight"] = torch.randn(64, 2)
        save_file(pair, root / "loras" / f"{name}.safetensors")
    return root


def _write_real_lora(path):
    """As wide as SDXL's prompt really is."""
    layer = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    down, up = torch.randn(2, 2048), torch.randn(640, 2)
    save_file({f"{layer}.lora_down.weight": down, f"{layer}.lora_up.weight": up}, path)


def _write_parts(root):
    tensors = relatives.relative("sdxl").tensors
    hints = {"ponystudio.config": '{"unet": {"addition_time_embed_dim": 8}}'}
    for name, folder, prefix, kept in (
        ("unet", "diffusion_models", "model.diffusion_model.", ""),
        ("l", "text_encoders", "conditioner.embedders.0.transformer.", ""),
        ("g", "text_encoders", "conditioner.embedders.1.model.", ""),
        ("vae", "vae", "first_stage_model.", ""),
    ):
        part = {
            kept + k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)
        }
        save_file(part, root / folder / f"{name}.safetensors", metadata=hints)


@pytest.fixture(scope="module")
def packs(root):
    return load_packs(root / "none")


@pytest.fixture
def latent_of(root, packs, tmp_path):
    """Runs nodes and gives the latent that comes out of the one called "sampler"."""

    def run(*nodes):
        save = core("save", "save_latent", latent=("sampler", "latent"), prefix="latent")
        run_graph(
            Graph.of(*nodes, save),
            folders=ModelFolders([root]),
            packs=packs,
            output=tmp_path,
            device="cpu",
            dtype="fp32",
            cache_dir=None,
        )
        path = max(tmp_path.glob("*.latent"))
        return read_latent(path)[0]

    return run


def graph(file="xl.safetensors", model=SAMPLED, clip=("checkpoint", "clip"), latent=None, **more):
    return (
        core("checkpoint", "load_checkpoint", file=file, **more.pop("checkpoint", {})),
        core("positive", "encode_prompt", text="score_9, a pony", clip=clip),
        core("negative", "encode_prompt", text="", clip=clip, **more.pop("negative", {})),
        latent or core("latent", "empty_latent", width=SIDE, height=SIDE),
        core(
            "sampler",
            "sample",
            model=model,
            positive=more.pop("positive", ("positive", "conditioning")),
            negative=("negative", "conditioning"),
            latent=("latent", "latent"),
            **{"steps": 2, "seed": 3, **more},
        ),
    )


def test_parts_of_their_own_give_what_the_whole_gives(latent_of):
    whole = latent_of(*graph())
    files = [{"file": "g.safetensors"}, {"file": "l.safetensors"}]  # in any order
    parts = latent_of(
        core("model", "load_model", file="unet.safetensors"),
        core("clip", "load_clip", files=files, family="sdxl"),
        *graph(model=("model", "model"), clip=("clip", "clip")),
    )
    torch.testing.assert_close(parts, whole)


def test_no_text_encoder_file_is_told_what_to_name(latent_of):
    nodes = graph(clip=("clip", "clip"))
    with pytest.raises(WrongKind, match="0 files"):
        latent_of(core("clip", "load_clip", files=[], family="sdxl"), *nodes)


def test_what_the_user_says_of_the_prediction_counts(latent_of):
    noise, velocity = (
        latent_of(*graph(checkpoint={"prediction": word})) for word in ("eps", "v, zero SNR")
    )
    assert not torch.allclose(noise, velocity)
    torch.testing.assert_close(latent_of(*graph()), noise)


def test_an_empty_negative_may_be_encoded(latent_of):
    zeros, encoded = (latent_of(*graph(negative={"empty": e})) for e in ("zeros", "encode"))
    torch.testing.assert_close(latent_of(*graph()), zeros)
    assert not torch.allclose(zeros, encoded)


def test_sizes_are_the_pictures_own_unless_told(latent_of):
    def told(**sizes):
        node = core("sizes", "set_sizes", conditioning=("positive", "conditioning"), **sizes)
        return latent_of(node, *graph(positive=("sizes", "conditioning"), cfg=1.0))

    own = {"width": SIDE, "height": SIDE, "target_width": SIDE, "target_height": SIDE}
    torch.testing.assert_close(told(**own), latent_of(*graph(cfg=1.0)))
    assert not torch.allclose(told(**{**own, "crop_left": 512}), told(**own))


def test_guidance_rescale_changes_what_strong_guidance_gives(latent_of):
    plain, none, some = (latent_of(*graph(cfg=9.0, rescale=r)) for r in (0.0, 0.0, 0.7))
    torch.testing.assert_close(plain, none)
    assert not torch.allclose(plain, some)


class TestLoraStack:
    def test_is_the_same_as_one_after_the_other(self, latent_of):
        rows = [
            {"file": "one.safetensors", "strength": 0.8},
            {"file": "gone.safetensors", "strength": 1.0, "on": False},
            {"file": "two.safetensors", "strength": -0.5},
        ]
        stack = core("stack", "apply_loras", model=SAMPLED, clip=("checkpoint", "clip"), loras=rows)
        stacked = latent_of(stack, *graph(model=("stack", "model")))
        first = core(
            "first", "apply_lora", model=SAMPLED, clip=("checkpoint", "clip"),
            file="one.safetensors", strength=0.8,
        )  # fmt: skip
        second = core(
            "second", "apply_lora", model=("first", "model"), clip=("first", "clip"),
            file="two.safetensors", strength=-0.5,
        )  # fmt: skip
        chained = latent_of(first, second, *graph(model=("second", "model")))
        torch.testing.assert_close(stacked, chained)
        assert not torch.allclose(stacked, latent_of(*graph()))

    def test_the_same_file_at_opposite_strengths_changes_nothing(self, latent_of):
        rows = [{"file": "one.safetensors", "strength": s} for s in (0.7, -0.7)]
        stack = core("stack", "apply_loras", model=SAMPLED, clip=("checkpoint", "clip"), loras=rows)
        assert torch.equal(latent_of(stack, *graph(model=("stack", "model"))), latent_of(*graph()))


class TestInpainting:
    def test_it_paints_with_one(self, latent_of, root):
        from PIL import Image

        (root / "input").mkdir(exist_ok=True)
        Image.new("RGB", (SIDE, SIDE), (200, 40, 90)).save(root / "input" / "picture.png")
        hole = Image.new("RGB", (SIDE, SIDE))
        hole.paste((255, 255, 255), (SIDE // 2, 0, SIDE, SIDE))
        hole.save(root / "input" / "hole.png")
        latent = core(
            "latent", "encode_for_inpainting", vae=("checkpoint", "vae"),
            image=("picture", "image"), mask=("mask", "mask"),
        )  # fmt: skip
        done = latent_of(
            core("picture", "load_image", file="picture.png"),
            core("hole", "load_image", file="hole.png"),
            core("mask", "mask_from_image", image=("hole", "image")),
            *graph("inpaint.safetensors", latent=latent),
        )
        assert torch.isfinite(done).all()
        assert done.shape == (1, 4, SIDE // 8, SIDE // 8)


def test_a_lora_for_sdxl_is_refused_by_sd2_in_the_words_of_both(latent_of):
    lora = core(
        "lora", "apply_lora", model=SAMPLED, clip=("checkpoint", "clip"), file="xl.safetensors"
    )
    with pytest.raises(WrongKind, match=r"made for SDXL.*Stable Diffusion 2"):
        latent_of(lora, *graph("sd2.safetensors", model=("lora", "model")))
