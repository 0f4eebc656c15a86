"""Nodes of packs that save pictures, and the names of their files in our words."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, told, ui, written_out
from ponystudio.graph.comfyui.mappings.saver_packs import saver_name, was_name
from ponystudio.graph.output_names import checked_prefix

IMAGE = {"load_image_1": ("core.load_image", {"file": "a.png"}, {})}
FROM = {"image": "load_image_1.image"}
WIRE = {"images": (1, 0)}


def saved(**params):
    return {**IMAGE, "save_image_2": ("core.save_image", params, FROM)}


def both(type, values, names):
    inputs = dict(zip(names, values, strict=False))
    return (
        ui(n1=("LoadImage", ["a.png", "image"]), n2=(type, values, WIRE)),
        api(n1=("LoadImage", {"image": "a.png"}), n2=(type, {**inputs, **WIRE})),
    )


WAS = (
    *("output_path", "filename_prefix", "filename_delimiter", "filename_number_padding"),
    *("filename_number_start", "extension", "dpi", "quality", "optimize_image", "lossless_webp"),
    *("overwrite_mode", "show_history", "show_history_by_prefix", "embed_workflow"),
    "show_previews",
)
REST = ["true", "false", "false", "false", "true", "true", "true"]


@pytest.mark.parametrize(
    ("folder", "prefix", "extension", "expected"),
    [
        (
            "[time(%Y-%m-%d)]", "pony", "png",
            {"prefix": "[datetime<%Y-%m-%d>]/pony", "format": "png"},
        ),
        (
            "./ComfyUI/output", "pony", "jpg",
            {"prefix": "pony", "format": "jpeg", "quality": 90},
        ),
        ("sub\\b", "pony", "webp", {"prefix": "sub/b/pony", "format": "webp", "quality": 90}),
    ],
)  # fmt: skip
def test_was(folder, prefix, extension, expected):
    values = [folder, prefix, "_", 4, "false", extension, 300, 90, *REST]
    for document in both("Image Save", values, WAS):
        assert written_out(document) == saved(**expected)
        assert told(document) == []


def test_what_was_saves_elsewhere_or_otherwise_is_told():
    values = ["D:\\pictures", "a", "_", 4, "false", "tiff", 300, 90, *REST]
    document, _ = both("Image Save", values, WAS)
    assert written_out(document) == saved(prefix="a", format="png")
    assert told(document) == [
        "pictures are saved in the folder of results, not in D:/pictures",
        "pictures are saved as PNG, not as tiff",
    ]


def test_what_was_saves_passes_on():
    document = ui(
        n1=("LoadImage", ["a.png", "image"]),
        n2=("Image Save", ["", "a", "_", 4, "false", "png", 300, 90, *REST], WIRE),
        n3=("ImageInvert", [], {"image": (2, 0)}),
    )
    assert written_out(document)["invert_image_3"][2] == FROM


SAVER = (
    *("filename", "path", "extension", "steps", "cfg", "modelname", "sampler_name"),
    *("scheduler_name", "positive", "negative", "seed_value", "width", "height", "lossless_webp"),
    *("quality_jpeg_or_webp", "optimize_png", "counter", "denoise", "clip_skip", "time_format"),
    *("save_workflow_as_json", "embed_workflow", "additional_hashes", "download_civitai_data"),
    *("easy_remix", "show_preview", "custom"),
)
SAID = [
    *(20, 7.0, "a.safetensors", "euler", "normal", "a pony", "", 7, 512, 512, False, 80, False),
    *(0, 1.0, 0, "%Y%m%d", False, True, "", True, True, True, "mine"),
]


def test_image_saver():
    values = ["%time_%basemodelname_%seed_%custom", "%date/x", "jpeg", *SAID]
    for document in both("Image Saver", values, SAVER):
        assert written_out(document) == saved(
            prefix="%date%/x/[datetime<%Y%m%d>]_%model%_%seed%_mine", format="jpeg", quality=80
        )
        assert told(document) == []


def test_image_saver_simple_with_what_it_is_to_write():
    values = ["%counter", "", "webp", True, 80, False, True, True, 0, "%Y", True]
    document = ui(
        n1=("LoadImage", ["a.png", "image"]),
        n2=("Image Saver Simple", values, {**WIRE, "metadata": (3, 0)}),
        n3=("Image Saver Metadata", ["a", "b", "c", 512, 512, 7, 20, 7.0, "euler", "normal"]),
    )
    assert written_out(document) == saved(prefix="%counter%", format="webp", quality=100)
    assert told(document) == [
        "the graph is written into pictures, not beside them",
        "its WebP files are not lossless: their quality is 100",
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("%time_%seed", "[datetime<%Y-%m-%d-%H%M%S>]_%seed%"),
        ("%sampler_name-%scheduler", "%sampler%-%scheduler%"),
        ("%model%width", "%model%%width%"),
        ("%time_format<%d.%m.%y>", "[datetime<%d.%m.%y>]"),
        ("%time_format<%Q>", "%datetime%"),
        ("100%", "100%"),
    ],
)
def test_names_in_the_words_of_image_saver(text, name):
    assert saver_name(text, "%Y-%m-%d-%H%M%S") == name
    checked_prefix(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [("[time(%Y)]/a", "[datetime<%Y>]/a"), ("[time]", "[datetime<%Y%m%d%H%M%S>]"), ("a", "a")],
)
def test_names_in_the_words_of_was(text, name):
    assert was_name(text) == name
    checked_prefix(name)


def test_a_name_that_a_run_says_is_wired():
    document = api(
        n1=("LoadImage", {"image": "a.png"}),
        n2=("Image Save", {"output_path": "sub", "filename_prefix": (3, 0), **WIRE}),
        n3=("Strange", {}),
    )
    found = written_out(document)["save_image_2"]
    assert found[2] == {**FROM, "prefix": "Strange_3.output 0"}
    assert told(document) == ["its folder is left out: a wire brings the name"]


def test_a_name_that_a_constant_says_is_known():
    document = api(
        n1=("LoadImage", {"image": "a.png"}),
        n2=("Image Saver", {"path": (3, 0), "filename": "a", **WIRE}),
        n3=("String Literal (Image Saver)", {"string": "%date"}),
    )
    assert written_out(document)["save_image_2"][1]["prefix"] == "%date%/a"


EXTENDED = (
    *("filename_prefix", "filename_keys", "foldername_prefix", "foldername_keys", "delimiter"),
    *("save_job_data", "job_data_per_image", "job_custom_text", "save_metadata"),
    *("counter_digits", "counter_position", "one_counter_per_folder", "image_preview"),
    *("output_ext", "quality"),
)


def test_save_image_extended():
    values = ["pony", "sampler_name, 12.cfg, %F %H-%M-%S, strange", "", "ckpt_name", "-"]
    values += ["disabled", False, "", True, 4, "last", True, True, ".webp", 75]
    for document in both("SaveImageExtended", values, EXTENDED):
        assert written_out(document) == saved(
            prefix="%model%/pony-%sampler%-%cfg%-[datetime<%Y-%m-%d %H-%M-%S>]",
            format="webp",
            quality=75,
        )
        assert told(document) == ["strange in its names is not known, and left out"]


def test_a_picture_for_a_socket_is_saved():
    for document in both("SaveImageWebsocket", [], ()):
        assert written_out(document) == saved(prefix="ComfyUI")
        assert told(document) == []
