"""What saved pictures say of how they were made."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from helpers.engine_nodes import Studio, graph, make, names
from ponystudio.engine.headless import run_graph
from ponystudio.errors import Cancelled
from ponystudio.graph.comfyui.importer import import_document
from ponystudio.graph.digital_source import COMPOSITE, TRAINED
from ponystudio.graph.formats.embedded_metadata import GRAPH, RECEIPT
from ponystudio.graph.formats.graph_file import loads
from ponystudio.graph.formats.metadata_policy import MetadataPolicy
from ponystudio.graph.formats.picture_writer import FORMATS, SUFFIXES
from ponystudio.graph.formats.xmp_packet import SOURCE_TYPE
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library import file_contents, model_index
from ponystudio.library.formats import content_id
from ponystudio.library.formats.content_id import hashes
from ponystudio.library.model_folders import ModelFolders
from ponystudio.pictures.picture_reader import read_fields


@pytest.fixture
def studio(tmp_path):
    with Studio(tmp_path) as studio:
        yield studio


def test_pictures_are_numbered_and_carry_graph_and_receipt(studio, tmp_path):
    g = graph(
        make("grey", "grey", batch=2),
        make("save", "save", image=("grey", "image"), prefix="sub/pony"),
    )
    studio.run(g)
    studio.run(g)
    folder = tmp_path / "output" / "sub"
    assert names(folder.iterdir()) == [f"pony_0000{i}.png" for i in (1, 2, 3, 4)]
    assert studio.told("output", "path") == [str(folder / f"pony_0000{i}.png") for i in (3, 4)]
    fields = read_fields(folder / "pony_00002.png")
    assert loads(fields[GRAPH]).nodes.keys() == g.nodes.keys()
    receipt = json.loads(fields[RECEIPT])
    assert receipt["batch"] == {"index": 1, "size": 2}
    assert receipt["environment"]["torch"] == torch.__version__
    # Of the second run: its grey was there already.
    assert receipt["seconds"].keys() == {"grey"}
    later = json.loads(read_fields(folder / "pony_00004.png")[RECEIPT])
    assert later["seconds"] == {}


def test_a_cancelled_run_does_not_wait_for_hashes(tmp_path, monkeypatch):
    cancel, release = threading.Event(), threading.Event()
    monkeypatch.setattr(file_contents, "AT_ONCE", 0)
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)
    monkeypatch.setattr(model_index, "sha256_of", lambda *_: str(release.wait(30)))
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "a.txt").write_text("one")
    g = graph(
        make("model", "model_file", file="a.txt"),
        make("slow", "slow", a=("model", "float"), seconds=0.0),
        make("save", "save", image=("slow", "image")),
    )
    with Studio(tmp_path, cache=True) as studio:
        threading.Timer(0.3, cancel.set).start()
        start = time.monotonic()
        with pytest.raises(Cancelled):
            studio.run(g, cancel=cancel)
        release.set()
        assert time.monotonic() - start < 15, "the hash takes 30 seconds"
        assert not list(tmp_path.rglob("*.png"))


# --- Of real models, in every format --------------------------------------------------------------

SECRET = "a pony under a birb"


def core(id, type, /, **given):
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"core.{type}", params=params, inputs=links)


def text_to_pictures(**save):
    """The same picture in every format."""
    return Graph.of(
        core("checkpoint", "load_checkpoint", file="sub/m.safetensors"),
        core(
            "lora", "apply_lora", file="l.safetensors", strength=0.5, clip_strength=0.5,
            model=("checkpoint", "model"), clip=("checkpoint", "clip"),
        ),
        core("positive", "encode_prompt", text=SECRET, clip=("lora", "clip")),
        core("negative", "encode_prompt", text="blurry, secretive", clip=("lora", "clip")),
        core("latent", "empty_latent", width=64, height=64),
        core(
            "sampler", "sample", steps=2, seed=5, sampler="dpmpp_2m", scheduler="karras",
            model=("lora", "model"), latent=("latent", "latent"),
            positive=("positive", "conditioning"), negative=("negative", "conditioning"),
        ),
        core("decode", "decode_latent", vae=("checkpoint", "vae"), latent=("sampler", "latent")),
        *(
            core(f"save_{format}", "save_image", image=("decode", "image"), prefix=format,
                 format=format, **save)
            for format in FORMATS
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints/sub", "loras", "embeddings"):
        (root / folder).mkdir(parents=True)
    terms = {"modelspec.license": "Fair AI Public License 1.0-SD"}
    model = checkpoints.micro(root / "checkpoints" / "sub" / "m.safetensors", extra=terms)
    checkpoints.micro_lora(root / "loras" / "l.safetensors")
    (root / "loras" / "l.json").write_text('{"license": "CC0-1.0"}')
    words = load_file(model)[
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    ][:2].clone()
    save_file({"emb_params": words}, root / "embeddings" / "birb.safetensors")
    save_file({"emb_params": words}, root / "embeddings" / "unused.safetensors")
    return root


def made(models, output, graph, **policy):
    """The files of a run, by format."""
    run_graph(graph, folders=ModelFolders([models]), output=output, device="cpu", dtype="fp32",
              metadata=MetadataPolicy(**policy))  # fmt: skip
    return {format: output / f"{format}_00001{SUFFIXES[format]}" for format in FORMATS}


@pytest.fixture(scope="module")
def everything(models, tmp_path_factory):
    return made(models, tmp_path_factory.mktemp("everything"), text_to_pictures())


def texts_as_others_read_them(path: Path) -> dict[str, str]:
    """Without our readers: `parameters`, `prompt`, `workflow` and the XMP packet."""
    with Image.open(path) as picture:
        texts = {key: text for key, text in picture.info.items() if isinstance(text, str)}
        exif = picture.getexif()
        comment = exif.get_ifd(0x8769).get(0x9286, b"")
        if comment.startswith(b"UNICODE\0"):
            texts["parameters"] = comment[8:].decode("utf-16-be")
        for tag, name in ((0x0110, "prompt"), (0x010F, "workflow")):
            if str(exif.get(tag, "")).startswith(f"{name}:"):
                texts[name] = exif[tag].partition(":")[2]
        if "xmp" in picture.info:
            texts["XML:com.adobe.xmp"] = picture.info["xmp"].decode()
    return texts


def found_by_a_site(path: Path) -> dict[str, str]:
    """What a site that links models finds, in its order: A1111's text first, by `Hashes`, then the
    lists, then `Model hash`."""
    text = texts_as_others_read_them(path).get("parameters", "")
    if "Steps: " not in text:
        return {}
    found: dict[str, str] = {}
    if whole := re.search(r"Hashes: (\{[^{}]*\})", text):
        found |= json.loads(whole[1])
    for key, kind in (("Lora hashes", "lora"), ("TI hashes", "embed")):
        listed = re.search(rf'{key}: (?:"([^"]*)"|([^,"]+: \w+))', text)
        for name, hash in re.findall(r"([^,]+): (\w+)", listed[1] or listed[2]) if listed else ():
            found.setdefault(f"{kind}:{name.strip()}", hash)
    if single := re.search(r"Model hash: (\w+)", text):
        found.setdefault("model", single[1])
    return {name: hash.lower() for name, hash in found.items()}


@pytest.mark.parametrize("format", FORMATS)
def test_a_site_finds_every_model_in_every_format(everything, models, format):
    path = everything[format]
    model = hashlib.sha256((models / "checkpoints/sub/m.safetensors").read_bytes()).hexdigest()
    birb = hashlib.sha256((models / "embeddings/birb.safetensors").read_bytes()).hexdigest()
    autov3 = hashes(models / "loras" / "l.safetensors")["autov3"]
    assert found_by_a_site(path) == {
        "model": model[:10], "lora:l": autov3, "embed:birb": birb[:10],
    }  # fmt: skip
    prompt, _, rest = texts_as_others_read_them(path)["parameters"].partition("\nNegative")
    assert prompt == f"{SECRET} <lora:l:0.5>"
    assert "Sampler: DPM++ 2M, Schedule type: Karras" in rest


@pytest.mark.parametrize("format", FORMATS)
def test_comfyui_opens_every_format(everything, format):
    texts = texts_as_others_read_them(everything[format])
    prompt, workflow = (json.loads(texts[name]) for name in ("prompt", "workflow"))
    assert all(name.isascii() for name in (texts["prompt"], texts["workflow"]))
    sampler = next(node for node in prompt.values() if node["class_type"] == "KSampler")
    assert (sampler["inputs"]["seed"], sampler["inputs"]["steps"]) == (5, 2)
    assert {node["type"] for node in workflow["nodes"]} >= {"KSampler", "SaveImage", "VAEDecode"}
    for document in (prompt, workflow):
        again = import_document(document).graph
        kinds = Counter(node.type for node in again.nodes.values())
        assert kinds == Counter(node.type for node in text_to_pictures().nodes.values())


@pytest.mark.parametrize("format", FORMATS)
def test_the_receipt_names_models_noise_and_versions(everything, format):
    fields = read_fields(everything[format])
    assert loads(fields[GRAPH]).nodes.keys() == text_to_pictures().nodes.keys()
    receipt = json.loads(fields[RECEIPT])
    assert receipt["node"] == f"save_{format}"
    assert receipt["seeds"] == {"sampler.seed": 5}
    assert receipt["noise"]["sampler.noise"] == "cpu"
    assert receipt["versions"].keys() >= {"python", "system", "numpy", "threads", "card"}
    model, lora = receipt["models"]["sub/m.safetensors"], receipt["models"]["l.safetensors"]
    assert model["autov2"] == model["sha256"][:10]
    assert len(lora["autov3"]) == 12
    assert model["licence"] == "Fair AI Public License 1.0-SD"
    assert lora["licence"] == "CC0-1.0"
    assert fields[SOURCE_TYPE] == TRAINED


def test_without_prompts_the_rest_is_there(models, everything, tmp_path):
    silent = made(models, tmp_path, text_to_pictures(metadata="without prompts"))
    for format, path in silent.items():
        assert_no_word_of(path, "pony under", "secretive", "blurry")
        assert found_by_a_site(path) == found_by_a_site(everything[format])
        fields = read_fields(path)
        assert loads(fields[GRAPH]).nodes["sampler"].params["seed"] == 5
        assert json.loads(fields[RECEIPT])["left_out"] == "prompts"


def test_stripped_files_hold_no_text_but_the_mark_and_then_none(models, tmp_path):
    sha256 = hashlib.sha256((models / "checkpoints/sub/m.safetensors").read_bytes()).hexdigest()
    words = ("a pony under", "blurry", "m.safetensors", "Steps: ", "ponystudio", sha256[:10])
    marked = made(models, tmp_path / "marked", text_to_pictures(), texts="nothing")
    # A node may say less than the settings, and never more.
    own = text_to_pictures(metadata="nothing")
    bare = made(models, tmp_path / "bare", own, disclosed=False)
    more = text_to_pictures(metadata="everything")
    less = made(models, tmp_path / "less", more, texts="nothing", disclosed=False)
    for format in FORMATS:
        assert_no_word_of(marked[format], *words, str(models))
        assert read_fields(marked[format]) == {SOURCE_TYPE: TRAINED}
        mark = ("trainedAlgorithmicMedia", "x:xmpmeta", "Iptc4xmpExt")
        assert_no_word_of(bare[format], *words, str(models), *mark)
        assert read_fields(bare[format]) == {}
        assert not texts_as_others_read_them(bare[format])
        assert less[format].read_bytes() == bare[format].read_bytes()


def assert_no_word_of(path: Path, *words: str) -> None:
    """In no encoding and under no deflation that a picture's text may have."""
    data = path.read_bytes()
    whole = [data, *texts_as_others_read_them(path).values(), *read_fields(path).values()]
    for word in words:
        for encoding in ("utf-8", "utf-16-be", "utf-16-le"):
            assert word.encode(encoding).lower() not in data.lower(), word
        assert not any(word in text for text in whole if isinstance(text, str)), word


def test_a_photograph_repainted_in_part_is_marked_so(models, tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "photo.png")
    graph = text_to_pictures()
    nodes = [
        core("photo", "load_image", file=str(tmp_path / "photo.png")),
        core("mask", "solid_mask", width=64, height=64),
        core("encoded", "encode_image", vae=("checkpoint", "vae"), image=("photo", "image")),
        core("latent", "mask_latent", latent=("encoded", "latent"), mask=("mask", "mask")),
    ]
    files = made(models, tmp_path, graph.with_nodes(nodes))
    assert {read_fields(path)[SOURCE_TYPE] for path in files.values()} == {COMPOSITE}


def test_a_save_with_other_words_inside_is_another_one(tmp_path):
    """It is written again when what it carries is to be less."""
    g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
    with Studio(tmp_path, cache=True) as studio:
        kept = {"always_write": False, "scope": "a"}
        assert studio.run(g, **kept) == ["grey", "save"]
        assert studio.run(g, **kept) == []
        silent = MetadataPolicy(texts="nothing")
        assert studio.run(g, metadata=silent, **kept) == ["save"]
    folder = tmp_path / "output"
    assert read_fields(folder / "picture_00001.png").keys() >= {GRAPH, RECEIPT}
    assert read_fields(folder / "picture_00002.png") == {}
