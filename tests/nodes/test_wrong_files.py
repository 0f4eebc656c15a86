"""Files that do not fit where they are put: one line says what they are, another what to do.

Asked of `ponystudio run`, so that what a person reads is what is tested.
"""

from __future__ import annotations

import re

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from helpers import checkpoints, relatives, visions
from helpers.core_graphs import checkpoint, core, picture
from helpers.seed_models import UNET, hints, state
from helpers.sparse import write_sparse
from ponystudio.cli.arguments import main
from ponystudio.engine.node_packs import load_packs
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph
from ponystudio.library.recognition.model_file import INSTEAD

DEEP_VAE = {
    **{name: value for name, value in checkpoints.VAE.items() if not name.startswith("_")},
    "latent_channels": 16,
}
VAE, TEXT = "first_stage_model.", "cond_stage_model.transformer."
PART = {"UNet": UNET, "VAE": VAE, "text encoder": TEXT}
# Files of one thing alone, by the shapes that tell what it is.
SHAPES = {
    "upscaler": {"conv_first.weight": [64, 3, 3, 3]},
    "embedding": {"emb_params": [4, 768]},
    "ControlNet": {"control_model.input_hint_block.0.weight": [16, 3, 3, 3]},
    "T5": {"encoder.block.0.layer.1.DenseReluDense.wi_1.weight": [10240, 4096]},
    "bigG": {
        "text_model.embeddings.token_embedding.weight": [49408, 1280],
        "text_model.encoder.layers.0.mlp.fc1.weight": [5120, 1280],
    },
    "critic": {"conv0.weight": [64, 3, 3, 3], "conv9.weight": [1, 64, 3, 3]},
    "Redux": {"redux_up.weight": [12288, 1152]},
    "GLIGEN": {"position_net.null_position_feature": [64]},
    "head": {"weight": [1, 768], "bias": [1]},
}
FOLDERS = (
    *("checkpoints", "diffusion_models", "text_encoders", "vae", "loras", "upscale_models"),
    *("clip_vision", "style_models", "gligen", "controlnet", "hypernetworks"),
    "aesthetic_models",
)
# By node, what it takes and under which param.
LOADERS = {
    "load_checkpoint": ("file", ()),
    "load_model": ("file", ("UNet",)),
    "load_vae": ("file", ("VAE",)),
    "load_clip": ("files", ("text encoder", "T5")),
    "apply_lora": ("file", ("LoRA",)),
    "load_upscaler": ("file", ("upscaler",)),
    "load_vision": ("file", ("image encoder",)),
    "load_style_model": ("file", ("Redux",)),
    "load_gligen": ("file", ("GLIGEN",)),
    "load_controlnet": ("file", ("ControlNet",)),
    "apply_hypernetwork": ("file", ()),
    "load_aesthetic_head": ("file", ("head",)),
}
FIELD = ("checkpoint.file: ",)
PROMPTS = ("positive.clip: ", "negative.clip: ")  # whichever comes first
# What a file is called, and the node that it belongs to.
SAID = {
    "UNet": ("a denoiser alone", "core.load_model"),
    "VAE": ("a VAE", "core.load_vae"),
    "text encoder": ("a text encoder", "core.load_clip"),
    "LoRA": ("a LoRA", "core.apply_lora"),
    "upscaler": ("an upscaler", "core.load_upscaler"),
    "embedding": ("an embedding", "folder embeddings"),
    "ControlNet": ("a ControlNet", "core.load_controlnet"),
    "T5": ("a text encoder", "core.load_clip"),
    "critic": ("a discriminator", "net_g_"),
    "image encoder": ("an encoder of pictures", "core.load_vision"),
    "Redux": ("a style model", "core.load_style_model"),
    "GLIGEN": ("a GLIGEN model", "core.load_gligen"),
    "head": ("an aesthetic head", "core.load_aesthetic_head"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Every file in every folder of models, as in a collection that nobody tidied."""
    root = tmp_path_factory.mktemp("models")
    files = root / "files"
    files.mkdir()
    for name, prefix in PART.items():
        part = {k.removeprefix(prefix): v for k, v in state("sd1").items() if k.startswith(prefix)}
        save_file(part, files / f"{name}.safetensors")
    for name, shapes in SHAPES.items():
        write_sparse(files / f"{name}.safetensors", shapes)
    checkpoints.micro_lora(files / "LoRA.safetensors")
    visions.write(files / "image encoder.safetensors", visions.state("clip"))
    checkpoints.micro(files / "sd1.safetensors")
    relatives.write("sdxl", files / "sdxl.safetensors")
    _write_incomplete(files)
    reading = "transformer_blocks_0_attn2_to_k"
    _write_lora(files / "LoRA of SDXL.safetensors", f"input_blocks_4_1_{reading}", 2048)
    _write_lora(files / "LoRA of SD2.safetensors", f"down_blocks_1_attentions_0_{reading}", 1024)
    _write_lora(files / "LoRA of FLUX.safetensors", "single_blocks_0_linear1", 3072)
    _write_loha(files / "LoHa of SDXL.safetensors", 2048)
    for folder in FOLDERS:
        (root / folder).symlink_to(files)
    return root


def _write_incomplete(files):
    """Checkpoints that lack a part, or are of families that cannot be run."""
    without = {k: v for k, v in state("sd1").items() if not k.startswith(TEXT)}
    save_file(without, files / "no text encoder.safetensors")
    second = "conditioner.embedders.1."
    without = {k: v for k, v in state("sdxl").items() if not k.startswith(second)}
    save_file(without, files / "no second encoder.safetensors", metadata=hints("sdxl"))
    without = {k: v for k, v in state("sd1").items() if not k.startswith(VAE)}
    save_file(without, files / "no VAE.safetensors")
    write_sparse(files / "8 channels.safetensors", {"decoder.conv_in.weight": [512, 8, 3, 3]})
    with torch.device("meta"):
        deep = AutoencoderKL(**DEEP_VAE).state_dict()
    save_file({k: torch.zeros(v.shape) for k, v in deep.items()}, files / "flux vae.safetensors")
    alone = {
        f"{UNET}input_blocks.0.0.weight": [320, 4, 3, 3],
        f"{VAE}decoder.conv_in.weight": [512, 4, 3, 3],
    }
    write_sparse(files / "strange.safetensors", alone)
    chroma = {
        f"{UNET}double_blocks.0.img_attn.norm.key_norm.scale": [128],
        f"{UNET}distilled_guidance_layer.in_proj.weight": [64, 64],
        f"{VAE}decoder.conv_in.weight": [512, 16, 3, 3],
    }
    write_sparse(files / "chroma.safetensors", chroma)


def _write_lora(path, layer, width):
    name = f"lora_unet_{layer}"
    down, up = torch.zeros(2, width), torch.zeros(640, 2)
    save_file({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}, path)


def _write_loha(path, width):
    name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    left, right = torch.zeros(640, 2), torch.zeros(2, width)
    roles = {"hada_w1_a": left, "hada_w1_b": right, "hada_w2_a": left + 1, "hada_w2_b": right + 1}
    save_file({f"{name}.{role}": value for role, value in roles.items()}, path)


@pytest.fixture
def refused(root, tmp_path, capsys):
    """The two lines that a run of a graph ends with: what is wrong, and what to do."""

    def refused(*nodes):
        path = tmp_path / "graph.json"
        graph_file.write(Graph.of(*nodes), path)
        words = ["run", path, "--models", root, "--output", tmp_path / "out", "--no-disk-cache"]
        code = main([*map(str, words), "--device", "cpu", "--dtype", "fp32"])
        said = capsys.readouterr()
        assert code in (1, 2)
        assert said.out == ""
        assert not (tmp_path / "out").exists()
        lines = said.err[said.err.index("error: ") :].splitlines()
        assert len(lines) == 2, said.err
        return lines

    return refused


@pytest.mark.parametrize(
    ("loader", "what"),
    [(loader, what) for loader in LOADERS for what in SAID if what not in LOADERS[loader][1]],
)
def test_a_file_of_another_kind_is_named_with_its_own_node(loader, what, refused):
    param, _ = LOADERS[loader]
    file = f"{what}.safetensors"
    model = {"model": ("checkpoint", "model")}
    wires = {"apply_lora": model | {"clip": ("checkpoint", "clip")}, "apply_hypernetwork": model}
    node = core("node", loader, **{param: [{"file": file}] if param == "files" else file},
                **wires.get(loader, {}))  # fmt: skip
    noun, instead = SAID[what]
    (error, remedy) = refused(*checkpoint("sd1.safetensors"), node, *_using(loader))
    assert error.startswith(f"error: node.{param}: ")
    assert file in error
    assert f"This is {noun}" in error
    assert instead in remedy


def _using(loader):
    """The rest of a graph in which a loader has its place."""
    sources = {
        "load_checkpoint": dict.fromkeys(("model", "clip", "vae"), "node"),
        "load_model": {"model": "node"},
        "load_vae": {"vae": "node"},
        "load_clip": {"clip": "node"},
        "apply_lora": {"model": "node", "clip": "node"},
        "apply_hypernetwork": {"model": "node"},
    }
    if loader in sources:
        return picture(**sources[loader])
    if loader == "load_aesthetic_head":
        return (
            *picture(),
            core("encoder", "load_vision", file="image encoder.safetensors"),
            core("look", "encode_vision", vision=("encoder", "vision"), image=("decode", "image")),
            core(
                "scores",
                "score_pictures",
                aesthetic_head=("node", "aesthetic_head"),
                vision_output=("look", "vision_output"),
            ),
            core("larger", "scale_image_by", image=("decode", "image"), factor=("scores", "score")),
            core("save_larger", "save_image", image=("larger", "image")),
        )
    if loader in ("load_vision", "load_style_model", "load_gligen", "load_controlnet"):
        return (*picture(), *_behind_prompt(loader))
    return (
        *picture(),
        core("larger", "upscale_image", image=("decode", "image"), upscaler=("node", "upscaler")),
        core("save_larger", "save_image", image=("larger", "image")),
    )


def _behind_prompt(loader):
    """A second picture, whose prompt goes through what the loader gives."""
    prompt = {"conditioning": ("positive", "conditioning")}
    if loader == "load_gligen":
        given = {"clip": ("checkpoint", "clip"), "gligen": ("node", "gligen")}
        last = core("changed", "place_text", **prompt, **given)
    elif loader == "load_controlnet":
        given = {"controlnet": ("node", "controlnet"), "image": ("decode", "image")}
        last = core("changed", "apply_controlnet", positive=prompt["conditioning"], **given)
    else:
        given, kind = {"vision_output": ("look", "vision_output")}, "apply_unclip"
        if loader == "load_style_model":
            given, kind = given | {"style_model": ("node", "style_model")}, "apply_style_model"
        last = core("changed", kind, **prompt, **given)
    vision = ("node" if loader == "load_vision" else "encoder", "vision")
    sources = {"model": ("checkpoint", "model"), "latent": ("latent", "latent")}
    output = "positive" if loader == "load_controlnet" else "conditioning"
    return (
        core("encoder", "load_vision", file="image encoder.safetensors"),
        core("look", "encode_vision", vision=vision, image=("decode", "image")),
        last,
        core(
            "again",
            "sample",
            positive=("changed", output),
            negative=("negative", "conditioning"),
            **sources,
        ),
        core("save_again", "save_latent", latent=("again", "latent")),
    )


def test_every_node_that_is_named_is_there():
    catalog = load_packs().catalog
    named = set(re.findall(r"core\.\w+", " ".join(INSTEAD.values())))
    assert {f"core.{loader}" for loader in LOADERS} <= named <= catalog.keys()


@pytest.mark.parametrize(
    ("file", "at", "said", "remedy"),
    [
        ("no text encoder", PROMPTS, "There is no text encoder in this file.", "core.load_clip"),
        ("no second encoder", PROMPTS, "no OpenCLIP-bigG in this file, and SDXL", "core.load_clip"),
        ("no VAE", ("decode.vae: ",), "There is no autoencoder in this file.", "core.load_vae"),
        ("strange", FIELD, "Its denoiser is of no family that is known.", "another model"),
        ("chroma", FIELD, "Models of the family chroma cannot be run yet.", "another model"),
    ],
)
def test_a_checkpoint_that_lacks_something(file, at, said, remedy, refused):
    error, what_to_do = refused(*picture(*checkpoint(f"{file}.safetensors")))
    assert error.startswith(tuple(f"error: {place}" for place in at))
    assert f"{file}.safetensors: " in error
    assert said in error
    assert remedy in what_to_do


class TestLoras:
    @pytest.mark.parametrize(
        ("file", "base", "model", "title"),
        [
            ("LoRA of SDXL", "SDXL", "sd1", "Stable Diffusion 1"),
            ("LoRA of SD2", "Stable Diffusion 2", "sd1", "Stable Diffusion 1"),
            ("LoRA of SD2", "Stable Diffusion 2", "sdxl", "SDXL"),
            ("LoHa of SDXL", "SDXL", "sd1", "Stable Diffusion 1"),
            ("LoRA of FLUX", "FLUX.1", "sdxl", "SDXL"),
        ],
    )
    @pytest.mark.parametrize("stacked", [False, True])
    def test_for_another_base_names_both(self, stacked, file, base, model, title, refused):
        wires = {"model": ("checkpoint", "model"), "clip": ("checkpoint", "clip")}
        row = {"file": f"{file}.safetensors"}
        lora = (
            core("lora", "apply_loras", **wires, loras=[row])
            if stacked
            else core("lora", "apply_lora", **wires, **row)
        )
        source = checkpoint(f"{model}.safetensors")
        error, remedy = refused(*picture(*source, lora, model="lora", clip="lora"))
        assert error.startswith("error: lora: ")
        assert f"This LoRA was made for {base}, the model is {title}." in error
        assert base in remedy


class TestMixedUp:
    """Parts of different families in one graph."""

    SOURCES = (
        *checkpoint("sd1.safetensors"),
        core("other", "load_checkpoint", file="sdxl.safetensors"),
    )

    def test_a_vae_of_another_latent_space(self, refused):
        error, remedy = refused(*picture(*self.SOURCES, vae="other"))
        assert error.startswith("error: decode.vae: ")
        assert "The latent is of Stable Diffusion 1, the VAE of SDXL" in error
        assert "VAE of its own model" in remedy

    def test_a_vae_of_another_width(self, refused):
        wide = core("wide", "load_vae", file="8 channels.safetensors")
        error, remedy = refused(*picture(*self.SOURCES, wide, vae="wide"))
        assert "have 8 channels" in error
        assert "comes with the model" in remedy

    def test_the_vae_of_flux_for_another_latent(self, refused):
        wide = core("wide", "load_vae", file="flux vae.safetensors")
        error, remedy = refused(*picture(*self.SOURCES, wide, vae="wide"))
        assert "The latent has 4 channels, this VAE has 16." in error
        assert "comes with the model" in remedy

    def test_a_latent_of_another_family(self, refused):
        encoded = (
            core("cat", "load_image", file="cat.png"),
            core("latent", "encode_image", vae=("other", "vae"), image=("cat", "image")),
        )
        error, remedy = refused(*picture(*self.SOURCES, latent=encoded))
        assert error.startswith("error: sampler")
        assert "Stable Diffusion 1" in error
        assert "SDXL" in error
        assert "VAE of the model's family" in remedy

    def test_a_prompt_of_another_family(self, refused):
        error, remedy = refused(*picture(*self.SOURCES, clip="other"))
        assert error.startswith("error: sampler")
        assert "SDXL" in error
        assert "text encoder of this model's checkpoint" in remedy

    @pytest.mark.parametrize(
        ("file", "missing"), [("text encoder", "OpenCLIP-bigG"), ("bigG", "CLIP-L")]
    )
    def test_one_encoder_for_a_family_of_two(self, file, missing, refused):
        one = core("clip", "load_clip", files=[{"file": f"{file}.safetensors"}], family="sdxl")
        error, remedy = refused(*picture(*self.SOURCES, one, model="other", clip="clip"))
        assert f"There is no {missing} in this file, and SDXL reads it" in error
        assert "core.load_clip" in remedy


def test_the_right_files_make_a_picture(root, tmp_path, capsys):
    """So that what is refused above is refused for its own sake."""
    wires = {"model": ("model", "model"), "clip": ("clip", "clip")}
    sources = (
        core("model", "load_model", file="UNet.safetensors"),
        core("clip", "load_clip", files=[{"file": "text encoder.safetensors"}], family="sd1"),
        core("vae", "load_vae", file="VAE.safetensors"),
        core("lora", "apply_lora", file="LoRA.safetensors", **wires),
    )
    graph = Graph.of(*picture(*sources, model="lora", clip="lora", vae="vae"))
    graph_file.write(graph, tmp_path / "graph.json")
    words = ["run", tmp_path / "graph.json", "--models", root, "--output", tmp_path / "out"]
    assert main([*map(str, words), "--device", "cpu", "--dtype", "fp32"]) == 0
    assert len(list((tmp_path / "out").glob("*.png"))) == 1
