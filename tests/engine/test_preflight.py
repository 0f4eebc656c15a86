"""What can be seen before a run is seen before it: `validate` and `run` end with 2 and a socket."""

from __future__ import annotations

import base64
import json
import os

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from helpers.core_graphs import checkpoint, core, picture
from helpers.flow_files import FORMS
from helpers.seed_models import hints, state
from ponystudio.cli.arguments import main
from ponystudio.diffusion.loading import load
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.preflight import check_models
from ponystudio.graph.formats import graph_file
from ponystudio.graph.model import Graph
from ponystudio.library.model_folders import ModelFolders, default_roots

PARTS = {
    "vae": "first_stage_model.",
    "clip": "cond_stage_model.",
    "bigG": "conditioner.embedders.1.",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in (
        "checkpoints",
        "loras",
        "vae",
        "embeddings",
        "text_encoders",
        "diffusion_models",
    ):
        (root / folder).mkdir()
    checkpoints.micro(root / "checkpoints" / "whole.safetensors")
    tensors = load_file(root / "checkpoints" / "whole.safetensors")
    for part in ("vae", "clip"):
        kept = {k: v for k, v in tensors.items() if not k.startswith(PARTS[part])}
        save_file(kept, root / "checkpoints" / f"without {part}.safetensors")
    save_file(state("sdxl"), root / "checkpoints" / "sdxl.safetensors", metadata=hints("sdxl"))
    without = {k: v for k, v in state("sdxl").items() if not k.startswith(PARTS["bigG"])}
    save_file(without, root / "checkpoints" / "without bigG.safetensors", metadata=hints("sdxl"))
    layer = "lora_te2_text_model_encoder_layers_1_self_attn_v_proj"
    pair = {
        f"{layer}.lora_up.weight": torch.ones(64, 2),
        f"{layer}.lora_down.weight": torch.ones(2, 64),
    }
    save_file(pair, root / "loras" / "of SDXL.safetensors")
    checkpoints.micro_lora(root / "loras" / "good.safetensors")
    brought = {**load_file(root / "loras" / "good.safetensors"),
               "bundle_emb.mane.string_to_param.*": torch.ones(2, 64)}  # fmt: skip
    save_file(brought, root / "loras" / "bringing.safetensors")
    save_file({"emb_params": torch.ones(2, 64)}, root / "embeddings" / "there.safetensors")
    info = PngInfo()
    rows = {"string_to_param": {"*": {"TORCHTENSOR": [[0.5] * 64]}}}
    info.add_text("sd-ti-embedding", base64.b64encode(json.dumps(rows).encode()).decode(), zip=True)
    Image.new("RGB", (8, 8)).save(root / "embeddings" / "drawn.png", pnginfo=info)
    bad = torch.full((2, 64), torch.nan)
    save_file({"emb_params": bad}, root / "embeddings" / "bad.safetensors")
    checkpoints.micro(root / "text_encoders" / "whole.safetensors")
    FORMS["in parts"].write("auraflow", root)
    return root


@pytest.fixture
def said(models, tmp_path, capsys):
    """What `validate` and a `run` end with, which is the same; nothing ran."""

    def said(*nodes, code=2):
        graph_file.write(Graph.of(*nodes), tmp_path / "graph.json")
        words = [tmp_path / "graph.json", "--models", models]
        run = ["--output", tmp_path / "out", "--no-disk-cache", "--device", "cpu"]
        answers = []
        for command in (["validate", *words], ["run", *words, *run]):
            if code == 0 and command[0] == "run":
                continue
            assert main([*map(str, command)]) == code
            answers.append(capsys.readouterr().err)
        assert not (tmp_path / "out").exists()
        if code:
            assert answers[0].splitlines()[0] in answers[1]
        return answers[0]

    return said


def lora(file, source="checkpoint"):
    return core("lora", "apply_lora", model=(source, "model"), clip=(source, "clip"), file=file)


def test_nothing_wrong(said):
    assert said(*picture(*checkpoint("whole.safetensors")), code=0) == ""


def test_a_checkpoint_without_an_autoencoder(said):
    error = said(*picture(*checkpoint("without vae.safetensors")))
    assert "decode.vae: " in error
    assert "without vae.safetensors: There is no autoencoder in this file." in error
    assert "core.load_vae" in error


def test_a_checkpoint_without_a_text_encoder(said):
    error = said(*picture(*checkpoint("without clip.safetensors")))
    assert ("positive.clip: " in error) != ("negative.clip: " in error)  # one fault, told once
    assert "There is no text encoder in this file." in error
    assert "core.load_clip" in error


def test_a_checkpoint_with_one_of_two_text_encoders(said):
    error = said(*picture(*checkpoint("without bigG.safetensors")))
    assert "tive.clip: " in error
    assert "OpenCLIP-bigG" in error
    assert "core.load_clip" in error


def test_through_nodes_that_pass_it_on(said):
    """The socket is that of who opens it, not of who stands between."""
    nodes = picture(*checkpoint("without clip.safetensors"), lora("good.safetensors"),
                    model="lora", clip="lora")  # fmt: skip
    error = said(*nodes)
    assert "tive.clip: " in error
    assert "lora.clip" not in error


def test_what_nobody_opens_may_be_missing(said):
    """The autoencoder comes from another file, the text encoder from another checkpoint."""
    other = core("other", "load_checkpoint", file="whole.safetensors")
    nodes = picture(*checkpoint("without clip.safetensors"), other, lora("good.safetensors"),
                    model="lora", clip="other")  # fmt: skip
    assert said(*nodes, code=0) == ""
    assert said(*picture(*checkpoint("without vae.safetensors"), other, vae="other"), code=0) == ""


def test_a_lora_of_another_family(said):
    nodes = picture(*checkpoint("whole.safetensors"), lora("of SDXL.safetensors"),
                    model="lora", clip="lora")  # fmt: skip
    error = said(*nodes)
    assert "lora" in error
    assert "This LoRA was made for" in error
    assert "the model is Stable Diffusion 1" in error


def test_text_encoders_that_do_not_make_a_whole(said, models):
    rows = [{"file": "whole.safetensors"}]
    clip = core("clip", "load_clip", files=rows, family="sdxl")
    error = said(*picture(*checkpoint("sdxl.safetensors"), clip, clip="clip"))
    assert "clip" in error
    assert "OpenCLIP-bigG" in error or "CLIP-L" in error


def test_a_prompt_of_another_family(said):
    other = core("other", "load_checkpoint", file="sdxl.safetensors")
    error = said(*picture(*checkpoint("whole.safetensors"), other, clip="other"))
    assert "sampler.positive: " in error
    assert "The prompt is made for SDXL" in error or "made for Stable Diffusion XL" in error


def test_a_run_by_parts_of_another_family(said):
    """A guider is of its model's family, and so is what a run by it gives."""
    sdxl = [core("xl", "load_checkpoint", file="sdxl.safetensors"),
            core("like", "encode_prompt", clip=("xl", "clip"))]  # fmt: skip
    run = [core("noise", "random_noise"), core("method", "choose_sampler"),
           core("levels", "range_sigmas"), core("latent", "empty_latent"),
           core("sampler", "sample_custom", noise=("noise", "noise"), guider=("guide", "guider"),
                sampler=("method", "sampler"), sigmas=("levels", "sigmas"),
                latent=("latent", "latent")),
           core("decode", "decode_latent", vae=("checkpoint", "vae"), latent=("sampler", "latent")),
           core("save", "save_image", image=("decode", "image"))]  # fmt: skip
    own, other = ("checkpoint", "model"), ("xl", "model")
    positive = ("like", "conditioning")
    error = said(
        *checkpoint("whole.safetensors"), *sdxl, core("guide", "guide_one", model=own,
        positive=positive), *run)  # fmt: skip
    assert "guide.positive: The prompt is made for SDXL" in error
    error = said(
        *checkpoint("whole.safetensors"), *sdxl, core("guide", "guide_one", model=other,
        positive=positive), *run)  # fmt: skip
    assert "decode.vae: The latent is of SDXL, the VAE of Stable Diffusion 1" in error


def by_parts(model, sampler, *levels, clip="checkpoint"):
    return [*checkpoint("whole.safetensors"), *levels, core("noise", "random_noise"),
            core("positive", "encode_prompt", clip=(clip, "clip")),
            core("guide", "guide_one", model=model, positive=("positive", "conditioning")),
            core("method", "choose_sampler", sampler=sampler), core("latent", "empty_latent"),
            core("sampler", "sample_custom", noise=("noise", "noise"), guider=("guide", "guider"),
                 sampler=("method", "sampler"), sigmas=(levels[-1].id, "sigmas"),
                 latent=("latent", "latent")),
            core("save", "save_latent", latent=("sampler", "latent"))]  # fmt: skip


def test_noise_levels_that_rise_under_a_sampler_that_only_goes_down(said):
    model = ("checkpoint", "model")
    up = [core("range", "range_sigmas"), core("flip", "flip_sigmas", sigmas=("range", "sigmas"))]
    error = said(*by_parts(model, "euler_ancestral", *up))
    assert "sampler.sigmas: The noise levels rise, and euler_ancestral only" in error
    assert "lms, dpmpp_2m or ddim" in error
    assert said(*by_parts(model, "lms", *up), code=0) == ""
    down = core("back", "flip_sigmas", sigmas=("flip", "sigmas"))
    assert said(*by_parts(model, "euler_ancestral", *up, down), code=0) == ""


@pytest.mark.parametrize(
    ("chosen", "socket", "why"),
    [({"sampler": "ddpm"}, "sampler", "The sampler ddpm does not work with AuraFlow"),
     ({"scheduler": "align_your_steps"}, "scheduler", "Nobody has aligned steps for AuraFlow")],
)  # fmt: skip
def test_a_method_that_serves_no_model_of_the_family(chosen, socket, why, said):
    flow = core("flow", "load_model", file="auraflow.safetensors")
    assert f"sampler.{socket}: {why}" in said(
        *picture(*checkpoint("whole.safetensors"), flow, model="flow", **chosen)
    )


def test_a_method_by_parts_that_serves_no_model_of_the_family(said):
    flow, model = core("flow", "load_model", file="auraflow.safetensors"), ("flow", "model")
    levels = core("levels", "make_sigmas", model=model, scheduler="align_your_steps")
    error = said(*by_parts(model, "ddpm", flow, levels))
    assert "levels.scheduler: Nobody has aligned steps" in error
    sources, wires = FORMS["in parts"].sources("auraflow")
    error = said(*by_parts(
        (wires["model"], "model"), "ddpm", *sources, core("levels", "range_sigmas"),
        clip=wires["clip"],
    ))  # fmt: skip
    assert "sampler.sampler: The sampler ddpm does not work with AuraFlow" in error


def test_latents_of_two_families_in_one(said):
    nodes = [*checkpoint("whole.safetensors"),
             core("other", "load_checkpoint", file="sdxl.safetensors"),
             core("grey", "empty_image"),
             core("below", "encode_image", vae=("checkpoint", "vae"), image=("grey", "image")),
             core("above", "encode_image", vae=("other", "vae"), image=("grey", "image")),
             core("both", "composite_latent", latent=("below", "latent"),
                  source=("above", "latent")),
             core("save", "save_latent", latent=("both", "latent"))]  # fmt: skip
    error = said(*nodes)
    assert "both.source: " in error
    assert "nothing but noise" in error


def test_a_latent_that_an_autoencoder_does_not_know(said):
    other = core("other", "load_checkpoint", file="sdxl.safetensors")
    error = said(*picture(*checkpoint("whole.safetensors"), other, vae="other"))
    assert "decode.vae: " in error
    assert "nothing but noise" in error


@pytest.mark.parametrize("dialect", ["a1111", "comfyui"])
def test_an_embedding_that_is_not_there(dialect, said):
    nodes = [
        node if node.id != "positive"
        else core("positive", "encode_prompt", clip=("checkpoint", "clip"), dialect=dialect,
                  text="a (embedding:nowhere:1.2) and embedding:there")
        for node in picture(*checkpoint("whole.safetensors"))
    ]  # fmt: skip
    error = said(*nodes)
    assert "positive.text: " in error
    assert "'nowhere'" in error
    assert "embeddings folder" in error


def prompt(text, *sources, clip="checkpoint", **more):
    return [
        node if node.id != "positive"
        else core("positive", "encode_prompt", clip=(clip, "clip"), text=text, **more)
        for node in picture(*sources, clip=clip)
    ]  # fmt: skip


def test_embeddings_that_are_there(said):
    source = checkpoint("whole.safetensors")
    assert said(*prompt("embedding:there, embedding:there.safetensors", *source), code=0) == ""
    brought = prompt("embedding:mane", *source, lora("bringing.safetensors"), clip="lora")
    assert said(*brought, code=0) == ""
    assert "'mane'" in said(*prompt("embedding:mane", *source))


def test_an_embedding_in_a_picture(said):
    source = checkpoint("whole.safetensors")
    assert said(*prompt("embedding:drawn, embedding:drawn.png", *source), code=0) == ""


def test_embeddings_are_looked_for_once_for_all_prompts(models, monkeypatch):
    walked = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: walked.append(folder) or scandir(folder))
    more = [
        core(f"more{n}", "encode_prompt", clip=("checkpoint", "clip"), text="embedding:there")
        for n in range(9)
    ]
    graph = Graph.of(*prompt("embedding:there", *checkpoint("whole.safetensors")), *more)
    packs, folders = load_packs(), ModelFolders([models, *default_roots()])
    walked.clear()
    assert check_models(graph, packs, folders, graph.nodes) == []
    assert walked.count(str(models / "embeddings")) == 1


def test_an_embedding_of_no_numbers(said):
    error = said(*prompt("embedding:bad", *checkpoint("whole.safetensors")))
    assert "positive.text: " in error
    assert "bad.safetensors" in error
    assert "not-a-number" in error


def test_files_that_stay_the_same_are_looked_at_once(monkeypatch):
    """A graph is checked after every edit. The shipped model is old enough for a change to show."""
    packs, folders = load_packs(), ModelFolders(default_roots())
    graph = Graph.of(*picture(*checkpoint("starter.safetensors")))
    assert check_models(graph, packs, folders, graph.nodes) == []
    monkeypatch.setattr(load, "find_part", None)
    assert check_models(graph, packs, folders, graph.nodes) == []
