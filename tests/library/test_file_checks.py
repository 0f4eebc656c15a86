from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Annotated, NamedTuple

import pytest
from PIL import Image as PictureFile

from helpers import checkpoints
from helpers.sparse import write_sparse
from ponystudio.api import File, Image, Mask, node
from ponystudio.api.node import ATTRIBUTE
from ponystudio.errors import (
    DamagedFile,
    MissingFile,
    PonyStudioError,
    UnknownModel,
    UnreadFile,
    UnsafePath,
    UnsupportedModel,
    WrongKind,
)
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.library import file_checks
from ponystudio.library.file_checks import check_files
from ponystudio.library.formats import content_id, weights_file
from ponystudio.library.model_folders import ModelFolders
from ponystudio.pictures import picture_reader


class Row(NamedTuple):
    file: Annotated[Path, File("loras")] = Path("none.safetensors")


@node("test.load")
def load(*, file: Annotated[Path, File("checkpoints")] = Path("default.safetensors")) -> Image:
    """Load."""


@node("test.enlarge")
def enlarge(*, file: Annotated[Path, File("upscale_models")] = Path("up.safetensors")) -> Image:
    """Enlarge."""


@node("test.picture")
def picture(mask: Mask | None = None, *, file: Annotated[Path, File("input")] = Path("a")) -> Image:
    """Open."""


@node("test.stack")
def stack(*, loras: list[Row] = []) -> Image:  # noqa: B006 - the default of a rows param
    """Stack."""


@node("test.latent")
def latent(*, file: Annotated[Path, File("latents")] = Path("a")) -> Image:
    """Open."""


NODES = (load, enlarge, picture, stack, latent)
CATALOG = {spec.id: spec for spec in (getattr(f, ATTRIBUTE).spec for f in NODES)}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for kind in ("checkpoints", "loras", "upscale_models", "input"):
        (tmp_path / kind).mkdir()
    checkpoints.micro(tmp_path / "checkpoints" / "good.safetensors")
    write_sparse(tmp_path / "checkpoints" / "vae.safetensors", {"decoder.conv_in.weight": [9] * 4})
    (tmp_path / "checkpoints" / "cut.safetensors").write_bytes(
        (tmp_path / "checkpoints" / "good.safetensors").read_bytes()[:1000]
    )
    checkpoints.micro_lora(tmp_path / "checkpoints" / "lora.safetensors")
    checkpoints.micro_lora(tmp_path / "loras" / "lora.safetensors")
    (tmp_path / "checkpoints" / "text.ckpt").write_text("hello")
    PictureFile.new("RGB", (8, 8)).save(tmp_path / "input" / "a.png")
    write_sparse(tmp_path / "upscale_models" / "strange.safetensors", {"head.weight": [8] * 3})
    return tmp_path


def check(models: Path, *nodes: Node, **more: object) -> list[PonyStudioError]:
    return list(check_files(Graph.of(*nodes), CATALOG, ModelFolders([models]), **more))  # type: ignore[arg-type]


def test_nothing_wrong(models: Path) -> None:
    good = Node("a", "test.load", params={"file": "good.safetensors"})
    shown = Node("b", "test.picture", params={"file": "a.png"})
    assert check(models, good, shown) == []


@pytest.mark.parametrize(
    ("file", "error", "words"),
    [
        ("goood.safetensors", MissingFile, "good.safetensors"),
        ("lora.safetensors", WrongKind, "core.apply_lora"),
        ("vae.safetensors", WrongKind, "core.load_vae"),
        ("cut.safetensors", DamagedFile, "Download"),
        ("text.ckpt", UnknownModel, "text file"),
        ("//host/x", UnsafePath, "another machine"),
    ],
)
def test_one_error_each(models: Path, file: str, error: type[PonyStudioError], words: str) -> None:
    (found,) = check(models, Node("loader", "test.load", params={"file": file}))
    assert type(found) is error
    assert (found.node, found.socket) == ("loader", "file")
    assert words in str(found)
    assert str(found).startswith("loader.file: ")
    assert Path(file).name in str(found)


def test_families(models: Path) -> None:
    nodes = [
        Node("a", "test.load", params={"file": "good.safetensors"}),
        Node("b", "test.load", params={"file": "flux.safetensors"}),
    ]
    shapes = {
        "double_blocks.0.img_attn.norm.key_norm.scale": [128],
        "vae.decoder.conv_in.weight": [512, 16, 3, 3],
    }
    write_sparse(models / "checkpoints" / "flux.safetensors", shapes)
    assert check(models, *nodes) == []
    (found,) = check(models, *nodes, families={"sd1"})
    assert (found.node, type(found)) == ("b", UnsupportedModel)
    assert "flux" in found.what


def test_an_input_is_a_picture(models: Path) -> None:
    """By what it is: neither a name nor a file that is there makes one of it."""
    picture = models / "input" / "a.png"
    node = Node("b", "test.picture", params={"file": "a.png"})
    for content in (b"a pony", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"", b"\x89PNG\r\n"):
        picture.write_bytes(content)
        (found,) = check(models, node)
        assert isinstance(found, DamagedFile)
        assert (found.node, found.socket) == ("b", "file")
        assert "a.png: The picture cannot be read" in found.what
    PictureFile.new("RGB", (9, 9)).save(picture)
    assert check(models, node) == []


def test_what_failed_for_the_moment_is_looked_at_again(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was found in a file is remembered of it."""
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)
    shown = Node("b", "test.picture", params={"file": "a.png"})
    (models / "latents").mkdir()
    write_sparse(models / "latents" / "a.latent", {"latent_tensor": [1, 4, 8, 8]})
    opened = Node("l", "test.latent", params={"file": "a.latent"})
    with monkeypatch.context() as broken:
        broken.setattr(picture_reader, "pool", picture_reader.ReaderPool())
        broken.setattr(picture_reader, "reader_command", lambda *_: [str(tmp_path / "gone")])
        broken.setattr(weights_file, "open_regular", too_many_files)
        for error in (UnreadFile, UnreadFile):
            assert [type(found) for found in check(models, shown, opened)] == [error] * 2
    with monkeypatch.context() as broken:
        broken.setattr(picture_reader, "open_regular", too_many_files)
        assert "Too many open files" in check(models, shown)[0].what
    assert check(models, shown, opened) == []


def too_many_files(*_: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_what_is_no_picture_is_found_out_once(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)
    (models / "input" / "text.png").write_text("a pony")
    node = Node("b", "test.picture", params={"file": "text.png"})
    first = check(models, node)
    monkeypatch.setattr(file_checks, "read_head", too_many_files)
    assert [str(error) for error in check(models, node)] == [str(error) for error in first]
    assert type(first[0]) is DamagedFile


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("kind", ["test.picture", "test.latent", "test.load"])
def test_special_files_are_found_before_a_run(models: Path, kind: str) -> None:
    (models / "latents").mkdir()
    for folder in ("input", "latents", "checkpoints"):
        os.mkfifo(models / folder / "pipe.png")
        (models / folder / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "zero.png", "/dev/zero", "/dev/ptmx"):
        (found,) = check(models, Node("b", kind, params={"file": name}))
        assert (found.node, found.socket, found.exit_code) == ("b", "file", 2)


def test_a_latent_is_one(models: Path) -> None:
    (models / "latents").mkdir()
    node = Node("b", "test.latent", params={"file": "a.latent"})
    (models / "latents" / "a.latent").write_text("a pony")
    (found,) = check(models, node)
    assert isinstance(found, UnknownModel)
    write_sparse(models / "latents" / "a.latent", {"head.weight": [8] * 3})
    (found,) = check(models, node)
    assert isinstance(found, WrongKind)
    write_sparse(models / "latents" / "a.latent", {"latent_tensor": [1, 4, 8, 8]})
    assert check(models, node) == []


def test_defaults_count(models: Path) -> None:
    (found,) = check(models, Node("loader", "test.load"))
    assert isinstance(found, MissingFile)
    assert "default.safetensors" in found.what


def test_passed_over(models: Path) -> None:
    bad = {"file": "nothing"}
    nodes = [
        Node("muted", "test.load", params=bad, mode="muted"),
        Node("bypassed", "test.load", params=bad, mode="bypassed"),
        Node("wired", "test.load", params=bad, inputs={"file": Link("x", "text")}),
        Node("unknown", "nobody.knows", params=bad),
        Node("not a text", "test.load", params={"file": 7}),
    ]
    assert check(models, *nodes) == []


def test_only_the_nodes_asked_for(models: Path) -> None:
    nodes = [Node(id, "test.load", params={"file": "nothing"}) for id in ("a", "b", "c")]
    assert [error.node for error in check(models, *nodes, ids=["b"])] == ["b"]
    assert [error.node for error in check(models, *nodes)] == ["a", "b", "c"]


def test_rows(models: Path) -> None:
    rows = [
        {"on": True, "file": "lora.safetensors"},
        {"on": False, "file": "gone.safetensors"},
        {"file": "missing.safetensors"},
        "no row",
    ]
    (found,) = check(models, Node("stack", "test.stack", params={"loras": rows}))
    assert (found.node, found.socket) == ("stack", "loras")
    assert "missing.safetensors" in found.what


def test_spandrel_may_know_an_upscaler(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = Node("up", "test.enlarge", params={"file": "strange.safetensors"})
    for installed in (None, object()):
        monkeypatch.setattr("importlib.util.find_spec", lambda name, found=installed: found)
        assert [type(error) for error in check(models, strange)] == (
            [] if installed else [UnknownModel]
        )


def test_folders_are_walked_once_however_many_names_lead_nowhere(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[str] = []
    whole = ModelFolders.names

    def counted(self: ModelFolders, kind: str) -> list[str]:
        walked.append(kind)
        return whole(self, kind)

    monkeypatch.setattr(ModelFolders, "names", counted)
    nodes = [Node(f"n{i}", "test.load", params={"file": f"none{i % 40}"}) for i in range(200)]
    errors = check_files(Graph.of(*nodes), CATALOG, ModelFolders([models]))
    assert [error.node for error in errors] == [node.id for node in nodes]
    assert walked == ["checkpoints"]
