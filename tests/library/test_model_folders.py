from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from ponystudio.errors import MissingFile, UnsafePath, UsageError
from ponystudio.library.model_folders import ModelFolders, default_roots


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


LAYOUTS = [
    ("checkpoints", "checkpoints"),
    ("checkpoints", "models/checkpoints"),
    ("checkpoints", "models/Stable-diffusion"),
    ("checkpoints", "Stable-diffusion"),
    ("loras", "loras"),
    ("loras", "models/Lora"),
    ("loras", "models/LyCORIS"),
    ("vae", "models/VAE"),
    ("text_encoders", "clip"),
    ("diffusion_models", "models/unet"),
    ("upscale_models", "models/ESRGAN"),
    ("upscale_models", "models/RealESRGAN"),
    ("embeddings", "embeddings"),
    ("embeddings", "models/embeddings"),
    ("controlnet", "models/ControlNet"),
]


def test_a_preview_is_no_embedding(tmp_path: Path) -> None:
    folder = tmp_path / "embeddings"
    for name in ("a.pt", "a.preview.png", "b.safetensors", "b.webp", "c.png", "d.preview.png"):
        put(folder / name)
    assert ModelFolders([tmp_path]).names("embeddings") == [
        *("a.pt", "b.safetensors", "c.png", "d.preview.png")
    ]


@pytest.mark.parametrize(("kind", "folder"), LAYOUTS)
def test_layouts(kind: str, folder: str, tmp_path: Path) -> None:
    path = put(tmp_path / folder / "sub" / "a b=c.safetensors")
    folders = ModelFolders([tmp_path])
    assert folders.names(kind) == ["sub/a b=c.safetensors"]
    assert folders.resolve(kind, "sub/a b=c.safetensors") == path
    assert folders.resolve(kind, "sub\\a b=c.safetensors") == path
    assert folders.name_for(kind, path) == "sub/a b=c.safetensors"


def test_the_first_root_wins(tmp_path: Path) -> None:
    first = put(tmp_path / "one" / "loras" / "x.safetensors")
    second = put(tmp_path / "two" / "loras" / "x.safetensors")
    other = put(tmp_path / "two" / "loras" / "y.safetensors")
    folders = ModelFolders([tmp_path / "one", tmp_path / "two"])
    assert folders.resolve("loras", "x.safetensors") == first
    assert folders.resolve("loras", "y.safetensors") == other
    assert folders.names("loras") == ["x.safetensors", "y.safetensors"]
    assert folders.name_for("loras", other) == "y.safetensors"
    # Its short name would mean the other file.
    assert folders.name_for("loras", second) == second.as_posix()


def test_what_ships_comes_last() -> None:
    roots = default_roots()
    assert roots[0].name == "models"
    shipped = ModelFolders([roots[-1]])
    assert "realesrgan-x4plus-anime.safetensors" in shipped.names("upscale_models")
    assert shipped.names("input")


def test_beside_the_graph(tmp_path: Path) -> None:
    graph = tmp_path / "graphs"
    beside, above = put(graph / "pony.png"), put(tmp_path / "pictures" / "b.png")
    folders = ModelFolders([], graph)
    assert folders.resolve("input", "pony.png") == beside
    assert folders.resolve("input", "../pictures/b.png") == above
    assert folders.name_for("input", beside) == "pony.png"
    assert folders.name_for("input", above) == above.as_posix()


def test_absolute_paths(tmp_path: Path) -> None:
    path = put(tmp_path / "somewhere" / "x.ckpt")
    assert ModelFolders([]).resolve("checkpoints", str(path)) == path
    with pytest.raises(MissingFile):
        ModelFolders([]).resolve("checkpoints", str(path) + "x")


def test_no_way_out_of_a_model_folder(tmp_path: Path) -> None:
    put(tmp_path / "secret.safetensors")
    (tmp_path / "loras").mkdir()
    with pytest.raises(MissingFile):
        ModelFolders([tmp_path]).resolve("loras", "../secret.safetensors")


@pytest.mark.parametrize(
    "name", ["//host/share/x.ckpt", "\\\\host\\share\\x.ckpt", "\\\\?\\UNC\\host\\x", "/\\host/x"]
)
def test_other_machines_are_not_asked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the path was touched")

    for function in ("stat", "lstat", "open", "scandir"):
        monkeypatch.setattr(os, function, fail)
    with pytest.raises(UnsafePath, match="another machine"):
        ModelFolders([tmp_path], tmp_path).resolve("checkpoints", name)


@pytest.mark.parametrize(
    ("wanted", "remedy"),
    [
        ("pony.safetensor", "Did you mean pony.safetensors"),
        ("sub/pony.safetensors", "pony.safetensors"),
        ("PONY2.safetensors", "pony.safetensors"),
        ("aura_flow_0.1.safetensors", "Put it into"),
        ("deep.safetensors", "below/deep.safetensors"),
        ("C:\\models\\pony.safetensors", "pony.safetensors"),
        ("completely different", "Put it into"),
    ],
)
def test_near_matches(wanted: str, remedy: str, tmp_path: Path) -> None:
    put(tmp_path / "checkpoints" / "pony.safetensors")
    put(tmp_path / "checkpoints" / "below" / "deep.safetensors")
    with pytest.raises(MissingFile) as caught:
        ModelFolders([tmp_path]).resolve("checkpoints", wanted)
    assert remedy in caught.value.remedy
    assert wanted in caught.value.what


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 5000, "a/" * 300 + "b"])
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    with pytest.raises(MissingFile):
        ModelFolders([tmp_path], tmp_path).resolve("loras", name)


def test_only_files_of_the_kind_are_listed(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.CKPT", "c.txt", ".hidden.ckpt", "d.preview.png", "e.yaml"):
        put(tmp_path / "checkpoints" / name)
    for name in ("a.png", "b.JPG", "c.safetensors"):
        put(tmp_path / "input" / name)
    put(tmp_path / "latents" / "x_00001.latent")
    folders = ModelFolders([tmp_path])
    assert folders.names("checkpoints") == ["a.safetensors", "b.CKPT"]
    assert folders.names("input") == ["a.png", "b.JPG"]
    assert "x_00001.latent" in folders.names("latents")


def test_tokenizers(tmp_path: Path) -> None:
    for name in ("pile.model", "t5/tokenizer.json", "clip.safetensors", "merges.txt"):
        put(tmp_path / "models" / "tokenizers" / name)
    folders = ModelFolders([tmp_path])
    assert folders.names("tokenizers") == ["pile.model", "t5/tokenizer.json"]
    there = tmp_path / "models" / "tokenizers" / "pile.model"
    assert folders.resolve("tokenizers", "pile.model") == there


def test_diffusers_folders_are_one_name(tmp_path: Path) -> None:
    model = tmp_path / "checkpoints" / "pony-v2"
    put(model / "model_index.json")
    put(model / "unet" / "diffusion_pytorch_model.bin")
    put(tmp_path / "checkpoints" / "plain" / "x.ckpt")
    folders = ModelFolders([tmp_path])
    assert folders.names("checkpoints") == ["plain/x.ckpt", "pony-v2"]
    assert folders.resolve("checkpoints", "pony-v2") == model
    with pytest.raises(MissingFile):
        folders.resolve("checkpoints", "plain")


def test_circles_of_links_end(tmp_path: Path) -> None:
    put(tmp_path / "loras" / "a.safetensors")
    for n in range(9):
        (tmp_path / "loras" / f"again{n}").symlink_to(tmp_path / "loras", target_is_directory=True)
    (tmp_path / "loras" / "itself").symlink_to("itself")
    assert ModelFolders([tmp_path]).names("loras") == ["a.safetensors"]


def test_extra_model_paths(tmp_path: Path) -> None:
    put(tmp_path / "a1111" / "models" / "Stable-diffusion" / "wd.ckpt")
    put(tmp_path / "a1111" / "models" / "Lora" / "l.safetensors")
    put(tmp_path / "a1111" / "models" / "LyCORIS" / "m.safetensors")
    put(tmp_path / "first" / "wd.ckpt")
    (tmp_path / "extra_model_paths.yaml").write_text(
        f"""
a111:
    base_path: {tmp_path}/a1111/
    checkpoints: models/Stable-diffusion
    loras: |
        models/Lora
        models/LyCORIS
    custom_nodes: nodes
other:
    is_default: true
    base_path: .
    checkpoints: first
network:
    base_path: //host/share
    checkpoints: models
"""
    )
    folders = ModelFolders([tmp_path])
    assert folders.names("loras") == ["l.safetensors", "m.safetensors"]
    assert folders.resolve("checkpoints", "wd.ckpt") == tmp_path / "first" / "wd.ckpt"
    assert all("host" not in str(folder) for folder in folders.folders("checkpoints"))


def test_extra_model_paths_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    put(tmp_path / "home" / "ComfyUI" / "loras" / "l.safetensors")
    (tmp_path / "extra_model_paths.yaml").write_text(
        "comfyui:\n  base_path: ~/ComfyUI\n  loras: |\n    loras\n    ~nobody-of-that-name/loras\n"
    )
    assert ModelFolders([tmp_path]).names("loras") == ["l.safetensors"]


@pytest.mark.parametrize("text", ["[1, 2", "- a list", "just words"])
def test_extra_model_paths_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "extra_model_paths.yaml").write_text(text)
    with pytest.raises(UsageError, match="extra_model_paths"):
        ModelFolders([tmp_path]).names("loras")


def test_folders_that_are_not_there(tmp_path: Path) -> None:
    folders = ModelFolders([tmp_path / "nothing"])
    assert folders.names("checkpoints") == []
    said = f"The model folder {tmp_path / 'nothing'} is not there."
    assert folders.unused_lines() == [said]
    with pytest.raises(MissingFile, match=re.escape(said)):
        folders.resolve("checkpoints", "x.ckpt")


def test_the_users_own_folder_is_made_when_needed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    assert ModelFolders(default_roots()).unused_lines() == []


def remedy(folders: ModelFolders, name: str, kind: str = "checkpoints") -> str:
    with pytest.raises(MissingFile) as caught:
        folders.resolve(kind, name)
    return f"{caught.value.what} {caught.value.remedy}"


def test_where_a_missing_file_belongs(tmp_path: Path) -> None:
    own, shipped = tmp_path / "models", default_roots()[-1]
    said = remedy(ModelFolders([own, shipped]), "x.ckpt", "upscale_models")
    assert f"Put it into {own / 'upscale_models'}, or name" in said
    assert "--models DIR" in said
    assert str(shipped) not in said
    put(own / "models" / "Stable-diffusion" / "pony.safetensors")
    assert f"Put it into {own / 'models' / 'Stable-diffusion'}," in remedy(
        ModelFolders([own]), "x.ckpt"
    )
    assert "Put it" not in remedy(ModelFolders([shipped]), "x.ckpt")


def test_a_name_without_its_suffix(tmp_path: Path) -> None:
    micro = put(tmp_path / "checkpoints" / "micro.safetensors")
    deep = put(tmp_path / "checkpoints" / "sub" / "model.v1.ckpt")
    folders = ModelFolders([tmp_path])
    for name, path in (
        ("micro", micro),
        ("Micro", micro),
        ("model.v1", deep),
        ("sub/model.v1", deep),
    ):
        assert folders.resolve("checkpoints", name) == path
    for name in ("model", "other/micro", "mic"):
        remedy(folders, name)
    # Of several none is taken for another.
    put(tmp_path / "checkpoints" / "sub" / "micro.ckpt")
    assert folders.resolve("checkpoints", "sub/micro").name == "micro.ckpt"
    with pytest.raises(MissingFile, match="more than one"):
        folders.resolve("checkpoints", "micro")
    # Pictures have their suffix in their name.
    put(tmp_path / "input" / "cat.png")
    remedy(folders, "cat", "input")


def test_a_folder_of_one_kind_given_as_the_root(tmp_path: Path) -> None:
    put(tmp_path / "checkpoints" / "pony.safetensors")
    put(tmp_path / "loose" / "pony.safetensors")
    put(tmp_path / "other" / "checkpoints" / "ponies.safetensors")  # near, but not meant
    said = remedy(ModelFolders([tmp_path / "checkpoints", tmp_path / "other"]), "pony.safetensors")
    assert said.endswith(f"--models {tmp_path}.")
    said = remedy(ModelFolders([tmp_path / "loose"]), "pony.safetensors")
    assert said.endswith(f"put it into {tmp_path / 'loose' / 'checkpoints'}.")


def test_no_name_and_the_name_of_a_folder(tmp_path: Path) -> None:
    folders = ModelFolders([tmp_path])
    assert f"No file is chosen. Put one into {tmp_path / 'checkpoints'}" in remedy(folders, "")
    put(tmp_path / "checkpoints" / "sub" / "pony.safetensors")
    assert "such as sub/pony.safetensors" in remedy(folders, "")
    said = remedy(folders, "sub")
    assert "sub is a folder" in said
    assert "model_index.json" in said


NFC, NFD = "Pok\u00e9", "Poke\u0301"
case_counts = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="names that differ in case are one file here"
)


@pytest.mark.parametrize("kind", ["checkpoints", "loras", "input", "upscale_models", "embeddings"])
@pytest.mark.parametrize(
    ("stored", "wanted"),
    [(NFC, NFD), (NFD, NFC), (f"{NFC}/{NFD}", f"{NFD}/{NFC}"), ("Pony", "PONY"), (NFD, "POKÉ")],
)
def test_a_name_that_is_spelt_alike(tmp_path: Path, kind: str, stored: str, wanted: str) -> None:
    suffix = ".png" if kind == "input" else ".safetensors"
    path = put(tmp_path / kind / f"{stored}{suffix}")
    found = ModelFolders([tmp_path]).resolve(kind, f"{wanted}{suffix}")
    assert found.samefile(path)
    beside = put(tmp_path / "graph" / f"{stored}{suffix}")
    assert ModelFolders([], tmp_path / "graph").resolve(kind, f"{wanted}{suffix}").samefile(beside)
    whole = f"{tmp_path}/graph/{wanted}{suffix}"
    assert ModelFolders([]).resolve(kind, whole).samefile(beside)


def test_a_folder_that_is_a_model_and_spelt_alike(tmp_path: Path) -> None:
    put(tmp_path / "checkpoints" / NFD / "model_index.json")
    found = ModelFolders([tmp_path]).resolve("checkpoints", NFC)
    assert found.samefile(tmp_path / "checkpoints" / NFD)


@case_counts
def test_the_nearest_spelling_counts_and_of_equals_none(tmp_path: Path) -> None:
    exact = put(tmp_path / "loras" / f"{NFC}.pt")
    folders = ModelFolders([tmp_path])
    put(tmp_path / "loras" / f"{NFC.upper()}.pt")
    assert folders.resolve("loras", f"{NFC}.pt") == exact
    assert folders.resolve("loras", f"{NFD}.pt") == exact
    said = remedy(folders, "POKé.pt", "loras")
    assert f"{NFC}.pt" in said
    assert f"{NFC.upper()}.pt" in said
    # The same name in the next folder is not another one.
    put(tmp_path / "two" / "loras" / f"{NFC}.pt")
    assert ModelFolders([tmp_path, tmp_path / "two"]).resolve("loras", f"{NFD}.pt") == exact


def test_what_looks_like_the_refused_is_told_apart(tmp_path: Path) -> None:
    put(tmp_path / "loras" / "my pony.pt")
    said = remedy(ModelFolders([tmp_path]), "my\u00a0pony.pt", "loras")
    assert "looks the same" in said
    assert "U+00A0" in said


def test_a_dead_link_is_called_one_and_not_offered(tmp_path: Path) -> None:
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "pony.pt").symlink_to("/gone/pony.pt")
    folders = ModelFolders([tmp_path])
    said = remedy(folders, "pony.pt", "loras")
    assert f"{tmp_path / 'loras' / 'pony.pt'} is a link to /gone/pony.pt, which is not th" in said
    assert "Did you mean" not in said
    assert folders.names("loras") == []
