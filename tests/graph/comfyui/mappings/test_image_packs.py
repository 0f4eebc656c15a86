"""Pictures of packs, scaled and measured, each with the whole graph that they come to."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, told, ui, written_out
from ponystudio.graph.comfyui.importer import import_document

IMAGE = {"load_image_1": ("core.load_image", {"file": "a.png"}, {})}
FROM = {"image": "load_image_1.image"}
WIRE = {"image": (1, 0)}
FITTED = {
    "width": 1024,
    "height": 768,
    "way": "inside",
    "anchor": "center",
    "multiple": 2,
    "fill": "colour",
    "colour": "#ff8000",
    "method": "lanczos",
}
NAMES = (
    *("width", "height", "upscale_method", "keep_proportion", "pad_color", "crop_position"),
    *("divisible_by", "device"),
)


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ({"keep_proportion": "resize"}, {}),
        ({"keep_proportion": "stretch"}, {"way": "stretch"}),
        ({"keep_proportion": "total_pixels"}, {"way": "same area"}),
        ({"keep_proportion": "crop", "crop_position": "top"}, {"way": "cut off", "anchor": "top"}),
        ({"keep_proportion": "pad", "pad_color": "16"}, {"way": "border", "colour": "#101010"}),
        ({"keep_proportion": "pad_edge_pixel"}, {"way": "border", "fill": "edge"}),
        ({"divisible_by": 0, "width": 0}, {"multiple": 1, "width": 0}),
    ],
)
def test_a_picture_is_fitted(said, ours):
    values = dict(
        zip(NAMES, [1024, 768, "lanczos", "resize", "255, 128,0", "center", 2, "cpu"], strict=True)
    )
    values |= said
    expected = {**IMAGE, "fit_image_2": ("core.fit_image", {**FITTED, **ours}, FROM)}
    for document in (
        ui(n1=("LoadImage", ["a.png", "image"]), n2=("ImageResizeKJv2", [*values.values()], WIRE)),
        api(n1=("LoadImage", {"image": "a.png"}), n2=("ImageResizeKJv2", {**values, **WIRE})),
    ):
        assert written_out(document) == expected
        assert told(document) == []


def test_the_size_that_a_picture_came_to_is_handed_on():
    document = ui(
        n1=("LoadImage", ["a.png", "image"]),
        n2=("ImageResizeKJv2", [64, 64, "area", "pad", "0, 0, 0", "center", 8, "cpu"], WIRE),
        n3=("EmptyLatentImage", [], {"width": (2, 1), "height": (2, 2)}),
        n4=("GrowMask", [], {"mask": (2, 3)}),
    )
    found = written_out(document)
    assert found["empty_latent_3"][2] == {
        "width": "fit_image_2.width",
        "height": "fit_image_2.height",
    }
    assert found["grow_mask_4"][2] == {"mask": "fit_image_2.border"}


def test_what_is_not_fitted_as_there_is_told():
    values = [64, 64, "area", "pad_edge", "0", "center", 8, "cpu"]
    document = ui(
        n1=("LoadImage", ["a.png", "image"]),
        n2=("ImageResizeKJv2", values, {**WIRE, "mask": (1, 1)}),
    )
    assert told(document) == [
        "its border repeats the outermost pixels, where theirs has their mean",
        "the mask that it scales too is left out",
    ]
    values[3] = "pillarbox_blur"
    document = ui(n1=("LoadImage", ["a.png", "image"]), n2=("ImageResizeKJv2", values, WIRE))
    assert list(import_document(document).placeholders.values()) == ["ImageResizeKJv2"]
    assert told(document) == ["pillarbox_blur is no way in which pictures are fitted here"]


@pytest.mark.parametrize("type", ["Image Resize", "Image Rescale"])
@pytest.mark.parametrize(
    ("values", "node"),
    [
        (
            ["rescale", "false", "lanczos", 1.5, 100, 100],
            ("core.scale_image_by", {"factor": 1.5, "method": "lanczos"}, FROM),
        ),
        (
            ["resize", "false", "nearest", 1.5, 100, 96],
            (
                "core.scale_image",
                {"width": 104, "height": 96, "method": "nearest-exact", "crop": "disabled"},
                FROM,
            ),
        ),
    ],
)
def test_a_picture_is_rescaled(type, values, node):
    names = ("mode", "supersample", "resampling", "rescale_factor", "resize_width", "resize_height")
    expected = {**IMAGE, f"{node[0].removeprefix('core.')}_2": node}
    inputs = dict(zip(names, values, strict=True))
    for document in (
        ui(n1=("LoadImage", ["a.png", "image"]), n2=(type, values, WIRE)),
        api(n1=("LoadImage", {"image": "a.png"}), n2=(type, {**inputs, **WIRE})),
    ):
        assert written_out(document) == expected
        assert told(document) == []


def test_a_picture_is_measured_and_passes_on():
    document = ui(
        n1=("LoadImage", ["a.png", "image"]),
        n2=("GetImageSizeAndCount", [], WIRE),
        n3=("ImageScale", [], {"image": (2, 0), "width": (2, 1), "height": (2, 2)}),
        n4=("RepeatImageBatch", [], {"image": (3, 0), "amount": (2, 3)}),
    )
    assert written_out(document) == {
        **IMAGE,
        "image_size_2": ("core.image_size", {}, FROM),
        "scale_image_3": (
            "core.scale_image",
            {},
            {**FROM, "width": "image_size_2.width", "height": "image_size_2.height"},
        ),
        "repeat_images_4": (
            "core.repeat_images",
            {},
            {"image": "scale_image_3.image", "times": "image_size_2.batch"},
        ),
    }
