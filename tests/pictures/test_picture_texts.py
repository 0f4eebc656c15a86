"""Pictures of every writer, in every way in which they carry what they say, read and opened."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import pytest

from helpers import foreign_pictures as foreign
from helpers import hostile_pictures
from helpers.paths import DATA, needs_data
from ponystudio.cli.arguments import main
from ponystudio.errors import GraphFileError
from ponystudio.graph.model import Graph
from ponystudio.pictures.graph_opening import carries_graph, open_file
from ponystudio.pictures.picture_reader import read_fields

FORMATS = ("JPEG", "WEBP", "AVIF", "PNG")
# The one text by which a stealthy picture of theirs is told.
STEALTHY = {
    "A1111": foreign.INFOTEXT,
    "SwarmUI": json.dumps(foreign.SWARM),
    "NovelAI": json.dumps(foreign.NOVEL_FIELDS),
}


def opened(folder: Path, data: bytes) -> Graph:
    path = folder / "picture"
    path.write_bytes(data)
    assert carries_graph(path)
    return open_file(path).graph


def sampler_of(graph: Graph) -> dict:
    (sampler,) = [node for node in graph.nodes.values() if node.type == "core.sample"]
    return dict(sampler.params)


def check(graph: Graph) -> None:
    """Whoever wrote it, these are the settings of all of them."""
    sampler = sampler_of(graph)
    assert (sampler["seed"], sampler["steps"], sampler["cfg"]) == (77, 25, 6.5)
    (latent,) = [node for node in graph.nodes.values() if node.type == "core.empty_latent"]
    assert (latent.params["width"], latent.params["height"]) == (512, 768)
    texts = [node.params["text"] for node in graph.nodes.values() if "text" in node.params]
    assert "pony" in texts[0]
    assert "blurry" in texts[1]


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
@pytest.mark.parametrize("writer", foreign.WRITERS)
def test_a_png_of_every_writer(tmp_path, writer, kind):
    check(opened(tmp_path, foreign.png(foreign.WRITERS[writer], kind)))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("writer", foreign.WRITERS)
def test_exif_of_every_writer_in_every_format(tmp_path, writer, format):
    check(opened(tmp_path, foreign.with_exif(format, foreign.WRITERS[writer])))


@pytest.mark.parametrize("charset", ["UNICODE", "UNICODE little", "ASCII", "none", ""])
def test_a_comment_in_every_character_set(tmp_path, charset):
    for format in FORMATS:
        check(opened(tmp_path, foreign.with_exif(format, foreign.WRITERS["A1111"], charset)))


@pytest.mark.parametrize("kind", ["pnginfo", "pngcomp", "rgbinfo", "rgbcomp"])
@pytest.mark.parametrize("format", ["PNG", "WEBP"])
@pytest.mark.parametrize("writer", STEALTHY)
def test_what_is_hidden_among_the_pixels(tmp_path, writer, format, kind):
    check(opened(tmp_path, foreign.stealthy(STEALTHY[writer], format, kind)))


def test_of_comfyuis_two_documents_the_values_are_of_what_ran(tmp_path):
    for format in FORMATS:
        graph = opened(tmp_path, foreign.with_exif(format, foreign.WRITERS["ComfyUI"]))
        texts = {node.params["text"] for node in graph.nodes.values() if "text" in node.params}
        assert texts == {"a pony", "blurry"}
        assert graph.view["nodes"]


def test_what_stands_beside_the_pixels_comes_before_what_is_hidden(tmp_path):
    hidden = foreign.stealthy(foreign.INFOTEXT.replace("Seed: 77", "Seed: 78"))
    text = hostile_pictures.png_chunk(b"tEXt", b"parameters\0" + foreign.INFOTEXT.encode())
    assert sampler_of(opened(tmp_path, hidden[:33] + text + hidden[33:]))["seed"] == 77
    # A note of somebody's is not how it was made.
    note = hostile_pictures.png_chunk(b"tEXt", b"Comment\0Created with GIMP")
    path = tmp_path / "noted.png"
    path.write_bytes(hidden[:33] + note + hidden[33:])
    assert sampler_of(open_file(path).graph)["seed"] == 78
    assert read_fields(path)["Comment"] == "Created with GIMP"


def test_xmp_has_the_comment_of_exif_where_editors_put_it(tmp_path):
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/"><exif:UserComment><rdf:Alt>'
        f'<rdf:li xml:lang="x-default">{foreign.INFOTEXT.replace("<", "&lt;")}</rdf:li>'
        "</rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    for format in ("JPEG", "WEBP", "AVIF"):
        picture = foreign.noise()
        picture.save(tmp_path / "a", format, xmp=packet.encode())
        assert read_fields(tmp_path / "a")["parameters"] == foreign.INFOTEXT
    check(opened(tmp_path, foreign.png({"XML:com.adobe.xmp": packet}, "iTXt")))


@pytest.mark.parametrize("format", [*FORMATS, "GIF", "BMP", "TIFF"])
def test_a_picture_without_any_says_so_plainly(tmp_path, format):
    path = tmp_path / "a.png"
    foreign.noise().save(path, format)
    assert not carries_graph(path)
    with pytest.raises(GraphFileError):
        open_file(path)


@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt", b"zTXt"])
def test_a_text_of_100_mb_is_left_out_and_others_are_read(tmp_path, kind):
    """Its bytes are there, though the disk keeps none: they are passed over."""
    size, path = 100 * 2**20, tmp_path / "a.png"
    data = foreign.png({"parameters": foreign.INFOTEXT})
    with path.open("wb") as file:
        file.write(data[:33] + struct.pack(">I4s", size, kind) + b"long\0")
        file.seek(size - 5 + 4, io.SEEK_CUR)
        file.write(data[33:])
    assert read_fields(path).keys() == {"parameters"}
    check(open_file(path).graph)


# --- Files that are no pictures -------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        foreign.CIVITAI,
        [{**foreign.CIVITAI, "meta": None}, foreign.CIVITAI],
        {"items": [foreign.CIVITAI], "metadata": {}},
        {**foreign.CIVITAI, "meta": {"id": 1, "meta": foreign.CIVITAI["meta"]}},
        foreign.CIVITAI["meta"],
        foreign.SIDECAR,
        foreign.SWARM,
        foreign.FOOOCUS,
        foreign.INVOKE,
        {**foreign.CIVITAI, "meta": {"comfy": json.dumps(
            {"prompt": foreign.COMFYUI_PROMPT, "workflow": foreign.COMFYUI_WORKFLOW})}},
    ],
    ids=["picture", "list", "answer", "deeper", "meta", "sidecar", "swarm", "fooocus", "invoke",
         "comfy"],
)  # fmt: skip
def test_json_files_of_other_programs(tmp_path, document):
    path = tmp_path / "a.civitai.info"
    path.write_text(json.dumps(document))
    check(open_file(path).graph)


def test_a_text_file_with_an_infotext(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(foreign.INFOTEXT)
    check(open_file(path).graph)


def test_civitais_picture_of_which_nothing_is_known_says_so(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**foreign.CIVITAI, "meta": None}))
    with pytest.raises(GraphFileError, match="meta is empty") as caught:
        open_file(path)
    assert caught.value.where == str(path)


# --- The pictures of others' tests ----------------------------------------------------------------


@needs_data
def test_seven_of_ten_pictures_open_and_the_others_are_refused_in_a_line(capsys):
    carrying = {
        "automatic1111_cropped.png",
        "automatic1111_stealth.png",
        "esrgan_example.png",
        "fooocus1_cropped.png",
        "img2img_cropped.png",
        "lora_multiple.png",
        "novelai1_cropped.png",
    }
    files = sorted((DATA / "pictures").iterdir())
    assert len(files) == 10
    for path in files:
        code = main(["import", str(path)])
        said = capsys.readouterr()
        assert code == (0 if path.name in carrying else 2), path.name
        if code:
            assert said.out == ""
            assert len(said.err.splitlines()) <= 2
            assert said.err.startswith("error: ")
