"""Numbers, sizes and expressions of packs."""

from __future__ import annotations

import pytest

from helpers.comfyui_graphs import api, told, ui, written_out
from ponystudio.graph.comfyui.importer import import_document


@pytest.mark.parametrize(
    ("type", "name", "value", "core"),
    [
        ("INTConstant", "value", 7, "int"),
        ("FloatConstant", "value", 0.5, "float"),
        ("BOOLConstant", "value", True, "bool"),
        ("easy int", "value", 7, "int"),
        ("easy float", "value", 0.5, "float"),
        ("easy boolean", "value", False, "bool"),
        ("Int Literal", "int", 7, "int"),
        ("Int Literal (Image Saver)", "int", 7, "int"),
        ("Float Literal (Image Saver)", "float", 0.5, "float"),
        ("Width/Height Literal", "int", 768, "int"),
        ("Width/Height Literal (Image Saver)", "int", 768, "int"),
        ("Cfg Literal (Image Saver)", "float", 6.5, "float"),
    ],
)
def test_a_number_for_several(type, name, value, core):
    expected = {f"{core}_1": (f"core.{core}", {"value": value}, {})}
    assert written_out(ui(n1=(type, [value]))) == expected
    assert written_out(api(n1=(type, {name: value}))) == expected


def test_choices_for_several():
    document = ui(
        n1=("Sampler Selector (Image Saver)", ["euler"]),
        n2=("Scheduler Selector (Image Saver)", ["karras"]),
        n3=("Checkpoint Selector (Image Saver)", ["sd\\a.safetensors"]),
        n4=("CheckpointLoaderSimple", [], {"ckpt_name": (3, 0)}),
        n5=("KSampler", [], {"sampler_name": (1, 0), "scheduler": (2, 0)}),
    )
    assert written_out(document) == {
        "text_1": ("core.text", {"value": "euler"}, {}),
        "text_2": ("core.text", {"value": "karras"}, {}),
        "text_3": ("core.text", {"value": "sd/a.safetensors"}, {}),
        "load_checkpoint_4": ("core.load_checkpoint", {}, {"file": "text_3.text"}),
        "sample_5": ("core.sample", {}, {"sampler": "text_1.text", "scheduler": "text_2.text"}),
    }


PRESET = "SDXL - 3:4 portrait 896x1152"
SIZE = ("width", "height", "aspect_ratio", "swap_dimensions")


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ([1024, 768, PRESET, "Off", 2.0, 1.0, 3], (896, 1152)),
        ([1024, 768, PRESET, "On", 2.0, 1.0, 3], (1152, 896)),
        ([1024, 768, "custom", "Off", 2.0, 0.5, 3], (512, 384)),
    ],
)
def test_a_size_by_the_name_of_a_preset(values, size):
    wires = {"width": (1, 0), "height": (1, 1)}
    expected = {
        "int_1_width": ("core.int", {"value": size[0]}, {}),
        "int_1_height": ("core.int", {"value": size[1]}, {}),
        "float_1_upscale_factor": ("core.float", {"value": 2.0}, {}),
        "empty_latent_1": (
            "core.empty_latent",
            {"batch": 3},
            {"width": "int_1_width.int", "height": "int_1_height.int"},
        ),
        "sample_2": ("core.sample", {}, {"latent": "empty_latent_1.latent"}),
        "scale_image_3": (
            "core.scale_image",
            {},
            {"width": "int_1_width.int", "height": "int_1_height.int"},
        ),
        "scale_image_by_4": ("core.scale_image_by", {}, {"factor": "float_1_upscale_factor.float"}),
    }
    document = ui(
        n1=("CR Aspect Ratio", values),
        n2=("KSampler", [], {"latent_image": (1, 5)}),
        n3=("ImageScale", [], wires),
        n4=("ImageScaleBy", [], {"scale_by": (1, 2)}),
    )
    assert written_out(document) == expected
    names = (*SIZE, "upscale_factor", "prescale_factor", "batch_size")
    other = api(
        n1=("CR Aspect Ratio", dict(zip(names, values, strict=True))),
        n2=("KSampler", {"latent_image": (1, 5)}),
        n3=("ImageScale", wires),
        n4=("ImageScaleBy", {"scale_by": (1, 2)}),
    )
    assert written_out(other) == expected
    assert told(document) == told(other) == []


def test_a_size_for_sdxl_has_one_factor_less():
    document = ui(
        n1=("CR SDXL Aspect Ratio", [1024, 1024, "5:8 portrait 768x1216", "Off", 1.0, 2]),
        n2=("KSampler", [], {"latent_image": (1, 4)}),
    )
    assert written_out(document)["empty_latent_1"][1] == {
        "width": 768,
        "height": 1216,
        "batch": 2,
    }


def test_a_size_that_only_a_run_says_is_told():
    document = api(n1=("CR Aspect Ratio", {"width": (2, 0)}), n2=("Strange", {}))
    assert "its size is computed from what only a run says" in told(document)
    assert "CR Aspect Ratio" in import_document(document).placeholders.values()


@pytest.mark.parametrize("text", ["1536 x 640   (landscape)", " 1536 x 640"])
def test_an_empty_latent_by_the_name_of_its_size(text):
    wires = {"width": (1, 1), "height": (1, 2)}
    document = ui(
        n1=("SDXL Empty Latent Image (rgthree)", [text, 2.0, 4]),
        n2=("KSampler", [], {"latent_image": (1, 0)}),
        n3=("CLIPTextEncodeSDXL", [], wires),
    )
    expected = {
        "empty_latent_1": ("core.empty_latent", {"width": 1536, "height": 640, "batch": 4}, {}),
        "int_1_clip_width": ("core.int", {"value": 3072}, {}),
        "int_1_clip_height": ("core.int", {"value": 1280}, {}),
        "sample_2": ("core.sample", {}, {"latent": "empty_latent_1.latent"}),
        "encode_texts_3": ("core.encode_texts", {"dialect": "comfyui", "empty": "encode"}, {}),
        "set_sizes_3_told": (
            "core.set_sizes",
            {},
            {
                "width": "int_1_clip_width.int",
                "height": "int_1_clip_height.int",
                "conditioning": "encode_texts_3.conditioning",
            },
        ),
    }
    assert written_out(document) == expected
    values = {"dimensions": text, "clip_scale": 2.0, "batch_size": 4}
    other = api(
        n1=("SDXL Empty Latent Image (rgthree)", values),
        n2=("KSampler", {"latent_image": (1, 0)}),
        n3=("CLIPTextEncodeSDXL", wires),
    )
    assert written_out(other) == expected


@pytest.mark.parametrize(
    ("type", "inputs", "slot", "expected"),
    [
        ("MathExpression|pysssss", {"expression": "a * 2 + 1", "a": (1, 0)}, 0, ("int", 1025)),
        ("MathExpression|pysssss", {"expression": "a / 1000", "a": (1, 0)}, 1, ("float", 0.512)),
        ("SimpleMath+", {"value": "round(a * b)", "a": (1, 0), "b": 1.5}, 0, ("int", 768)),
        ("ComfyMathExpression", {"expression": "a / 3", "values.a": (1, 0)}, 1, ("int", 170)),
        ("ComfyMathExpression", {"expression": "a / 1024", "values.a": (1, 0)}, 0, ("float", 0.5)),
    ],
)
def test_what_is_made_of_constants_is_computed(type, inputs, slot, expected):
    core, value = expected
    target = ("ImageScale", {"width": (2, slot)})
    document = api(n1=("INTConstant", {"value": 512}), n2=(type, inputs), n3=target)
    assert written_out(document) == {
        "int_1": ("core.int", {"value": 512}, {}),
        f"{core}_2_{core}": (f"core.{core}", {"value": value}, {}),
        "scale_image_3": ("core.scale_image", {}, {"width": f"{core}_2_{core}.{core}"}),
    }
    (remark,) = told(document)
    assert remark.startswith(inputs.get("expression", inputs.get("value")))


def test_an_expression_in_a_workflow():
    document = ui(
        n1=("INTConstant", [512]),
        n2=("MathExpression|pysssss", ["a*2"], {"a": (1, 0)}),
        n3=("ImageScale", [], {"width": (2, 0)}),
    )
    assert written_out(document)["int_2_int"] == ("core.int", {"value": 1024}, {})


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"expression": "a + 1", "a": (1, 0)}, "a is known in a run alone"),
        ({"expression": "Latent.width"}, "more in it than arithmetic: Attribute"),
        ({"expression": "__import__('os')"}, "more in it than arithmetic: Call"),
        ({"expression": "1 / 0"}, "division by zero"),
        ({"expression": ""}, "not written as arithmetic"),
    ],
)
def test_what_cannot_be_computed_stands_there_and_is_told(inputs, said):
    document = api(n1=("Strange", {}), n2=("MathExpression|pysssss", inputs))
    assert any(said in remark for remark in told(document))
    assert "MathExpression|pysssss" in import_document(document).placeholders.values()
