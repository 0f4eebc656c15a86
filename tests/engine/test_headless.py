"""Whole runs with real networks from a tiny checkpoint, and what may go wrong around them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from helpers import checkpoints
from ponystudio.diffusion.text.clip_tokens import ClipTokenizer
from ponystudio.engine.cache import disk_cache
from ponystudio.engine.headless import dry_run, run_graph
from ponystudio.engine.node_packs import load_packs
from ponystudio.engine.protocol.run_events import Progress
from ponystudio.errors import Cancelled, MissingFile, NodeFailed, StorageFull
from ponystudio.graph.formats.embedded_metadata import PARAMETERS, RECEIPT
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library.formats.content_id import hashes
from ponystudio.library.model_folders import ModelFolders
from ponystudio.pictures.picture_reader import read_fields


def make(id, type, /, **given):
    links = {k: Link(*v) for k, v in given.items() if isinstance(v, tuple)}
    params = {k: v for k, v in given.items() if not isinstance(v, tuple)}
    return Node(id, f"core.{type}", params=params, inputs=links)


def text_to_picture(*, seed=1, strength=None, **sample):
    model, clip = ("checkpoint", "model"), ("checkpoint", "clip")
    lora = []
    if strength is not None:
        given = {"file": "l.safetensors", "strength": strength, "clip_strength": 1.0}
        lora = [make("lora", "apply_lora", model=model, clip=clip, **given)]
        model, clip = ("lora", "model"), ("lora", "clip")
    return Graph.of(
        make("checkpoint", "load_checkpoint", file="m.safetensors"),
        *lora,
        make("positive", "encode_prompt", text="a pony", clip=clip),
        make("negative", "encode_prompt", text="blurry", clip=clip),
        make("latent", "empty_latent", width=64, height=64),
        make(
            "sampler", "sample", model=model, seed=seed, latent=("latent", "latent"),
            positive=("positive", "conditioning"), negative=("negative", "conditioning"),
            **{"steps": 2, **sample},
        ),
        make("decode", "decode_latent", vae=("checkpoint", "vae"), latent=("sampler", "latent")),
        make("save", "save_image", image=("decode", "image"), prefix="out"),
    )  # fmt: skip


class Runs:
    def __init__(self, root):
        self.root, self.events, self.packs = root, [], load_packs(root / "none")
        self.settings = {
            "folders": ModelFolders([root]),
            "device": "cpu",
            "dtype": "fp32",
            "cache_dir": root / "cache",
            "packs": self.packs,
        }

    def run(self, graph, **more):
        self.events = []
        settings = {**self.settings, "output": self.root / "output", **more}
        run_graph(graph, **{"on_event": self.note, **settings})
        return self.told("node_started")

    def note(self, event):
        self.events.append(event.as_json())

    def told(self, event, field="node"):
        return [item[field] for item in self.events if item["event"] == event]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for folder in ("checkpoints", "loras"):
        (root / folder).mkdir()
    checkpoints.micro(root / "checkpoints" / "m.safetensors")
    checkpoints.micro_lora(root / "loras" / "l.safetensors")
    return root


@pytest.fixture
def runs(models, tmp_path):
    for folder in ("checkpoints", "loras"):
        (tmp_path / folder).symlink_to(models / folder)
    return Runs(tmp_path)


def test_from_a_checkpoint_to_a_picture_and_what_a_second_start_finds(runs, tmp_path):
    assert len(runs.run(text_to_picture())) == 7
    picture = tmp_path / "output" / "out_00001.png"
    assert runs.told("output", "path") == [str(picture)]
    parameters = read_fields(picture)[PARAMETERS]
    assert parameters.startswith("a pony\nNegative prompt: blurry\nSteps: 2, Sampler: Euler")
    assert "Model: m" in parameters

    # run_graph is a new start each time: nothing is left in memory.
    assert runs.run(text_to_picture()) == ["save"]
    assert runs.told("weights", "action") == []
    again = tmp_path / "output" / "out_00002.png"
    with Image.open(again) as one, Image.open(picture) as other:
        assert one.tobytes() == other.tobytes()
    first, second = (json.loads(read_fields(path)[RECEIPT]) for path in (picture, again))
    assert first.pop("seconds").keys() >= {"sampler", "decode"}
    assert second.pop("seconds") == {}  # its results were there already
    assert first == second

    ran = runs.run(text_to_picture(seed=2))
    assert not {"positive", "negative"} & set(ran)
    assert {"sampler", "decode", "save"} <= set(ran)
    files = set(runs.told("weights", "file"))
    assert files == {"m.safetensors"}


def test_a_changed_strength_of_a_lora_encodes_no_prompt(runs):
    runs.run(text_to_picture(strength=0.5))
    assert runs.told("weights", "action").count("patch") == 2
    ran = runs.run(text_to_picture(strength=0.8))
    assert not {"positive", "negative"} & set(ran)


def test_a_lora_brings_textual_inversions(runs, models, tmp_path):
    """Prompts behind it name them, those beside it do not; even where it changes nothing itself."""
    table = load_file(models / "checkpoints" / "m.safetensors")[
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    ]
    tensors = load_file(models / "loras" / "l.safetensors")
    words = table[ClipTokenizer().ids("pony hill")].clone()
    (tmp_path / "loras").unlink()
    (tmp_path / "loras").mkdir()
    save_file(
        tensors | {"bundle_emb.twilight.string_to_param.*": words},
        tmp_path / "loras" / "l.safetensors",
    )

    def picture(text, source="lora"):
        graph = text_to_picture(strength=0.0)
        link = {"clip": Link(source, "clip")}
        prompt = replace(graph.nodes["positive"], params={"text": text}, inputs=link)
        still = {**graph.nodes["lora"].params, "clip_strength": 0.0}
        runs.run(graph.with_nodes([prompt, replace(graph.nodes["lora"], params=still)]))
        return Image.open(max((tmp_path / "output").glob("*.png"))).tobytes()

    named = picture("a embedding:twilight, b")
    assert "l.safetensors brings textual inversions" in runs.told("note", "text")[0]
    assert named == picture("a pony hill, b")
    assert named != picture("a twilight, b", "checkpoint")
    with pytest.raises(NodeFailed, match="no embedding called 'twilight'"):
        picture("a embedding:twilight, b", "checkpoint")


def test_what_has_no_effect_is_noted(runs, models, tmp_path):
    """A `<lora:...>` in a prompt, and layers of a LoRA that fit nothing."""
    odd = load_file(models / "loras" / "l.safetensors")
    for kind in ("lora_up.weight", "lora_down.weight", "alpha"):
        name = next(key for key in odd if key.startswith("lora_unet_") and key.endswith(kind))
        odd[f"lora_unet_no_such_layer.{kind}"] = odd[name].clone()
    (tmp_path / "loras").unlink()
    (tmp_path / "loras").mkdir()
    save_file(odd, tmp_path / "loras" / "l.safetensors")
    graph = text_to_picture(strength=0.5)
    clip = Link("lora", "clip")
    prompt = replace(graph.nodes["positive"], params={"text": "a pony <lora:style:1>"})
    runs.run(graph.with_nodes([replace(prompt, inputs={"clip": clip})]))
    about_prompt, about_layers = sorted(runs.told("note", "text"))
    assert "1 layer of l.safetensors (lora_unet_no_such_layer)" in about_layers
    assert about_prompt.startswith("<lora:style:1>: left out")
    assert sorted(runs.told("note")) == ["lora", "positive"]
    # Again where nothing of the LoRA is done anew.
    other = replace(graph.nodes["sampler"], params={**graph.nodes["sampler"].params, "seed": 9})
    runs.run(graph.with_nodes([other]))
    assert runs.told("note") == ["lora"]

    fields = read_fields(tmp_path / "output" / "out_00001.png")
    autov3 = hashes(tmp_path / "loras" / "l.safetensors")["autov3"]
    assert f'Lora hashes: "l: {autov3}"' in fields[PARAMETERS]


def test_without_a_cache_every_run_is_the_first(runs):
    runs.settings["cache_dir"] = None
    assert len(runs.run(text_to_picture())) == len(runs.run(text_to_picture())) == 7


def test_a_dry_run_touches_nothing(runs, tmp_path):
    said = dry_run(text_to_picture(), output=tmp_path / "output", **runs.settings)
    assert list(said)[-1] == "save"
    assert said["sampler"].text == "runs: not run before"
    assert not (tmp_path / "output").exists()


def test_a_missing_file_is_found_before_the_run(runs):
    graph = text_to_picture()
    wrong = graph.with_nodes([make("checkpoint", "load_checkpoint", file="m.safetensor")])
    with pytest.raises(MissingFile) as error:
        runs.run(wrong)
    assert error.value.node == "checkpoint"
    assert "m.safetensors" in error.value.remedy
    assert runs.events == []


def test_cancel_is_seen_within_a_step_and_leaves_no_file(runs, tmp_path):
    cancel = threading.Event()

    def on_event(event):
        runs.note(event)
        if isinstance(event, Progress) and event.node == "sampler":
            cancel.set()

    with pytest.raises(Cancelled):
        run_graph(
            text_to_picture(steps=1000, seed=3),
            **runs.settings,
            output=tmp_path / "output",
            on_event=on_event,
            cancel=cancel,
        )
    assert runs.told("progress", "step") == [1]
    assert not (tmp_path / "output").exists()


def test_a_full_disk_is_said_plainly_and_leaves_no_half_file(runs, tmp_path):
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(small)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.decode().strip()}")
    try:
        (small / "other").write_bytes(bytes(10_000))
        with pytest.raises(StorageFull) as error:
            runs.run(text_to_picture(), output=small)
        assert error.value.node == "save"
        assert error.value.remedy
        assert [path.name for path in small.iterdir()] == ["other"]

        # A cache on a full disk costs time later, never the run.
        runs.run(text_to_picture(seed=9), cache_dir=small / "cache")
        assert any("not kept on disk" in text for text in runs.told("memory", "action"))
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_is_not_kept_on_disk_is_told_even_if_it_shows_after_the_run(
    runs, tmp_path, monkeypatch
):
    def write_bytes(path, data):
        assert ended.wait(60)
        raise StorageFull("There is no space left to write the file.", where=str(path))

    def note(event):
        runs.note(event)
        if runs.events[-1]["event"] == "run_finished":
            ended.set()

    ended = threading.Event()
    monkeypatch.setattr(disk_cache, "write_bytes", write_bytes)
    runs.run(text_to_picture(), on_event=note)
    (action,) = runs.told("memory", "action")
    assert action.endswith("not kept on disk for now: There is no space left to write the file")


AS_ANOTHER = """
import os, pathlib, sys
root = pathlib.Path(sys.argv[1])
from helpers.engine_nodes import Studio, graph, make
from ponystudio.errors import NotWritable
studio = Studio(root)
g = graph(make("grey", "grey"), make("save", "save", image=("grey", "image")))
studio.run(g)  # what the other user may not even read is loaded by now
os.setegid(65534), os.seteuid(65534)
try:
    studio.run(g)
except NotWritable as error:
    print("refused:", error.node, "|", error)
finally:
    studio.engine.close()
"""


def test_no_permission_to_write_as_another_user(tmp_path):
    if not hasattr(os, "seteuid") or os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    (tmp_path / "output").mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o001 == 0 and folder.is_relative_to("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o011)
    tests = next(path for path in sys.path if path.endswith("tests"))
    result = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": tests},
    )
    assert result.stdout.startswith("refused: save"), result.stderr
    names = [path.name for path in (tmp_path / "output").iterdir()]
    assert names == ["picture_00001.png"]
