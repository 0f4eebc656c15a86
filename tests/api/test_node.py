"""A signature becomes a spec, said once; what cannot be a node is refused when declared."""

import json
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from ponystudio.api import (
    SEED_MAX,
    Affects,
    Annotated,
    Choice,
    Clip,
    Context,
    Cosmetic,
    File,
    Image,
    Label,
    Latent,
    Mask,
    Model,
    NodeSpec,
    Range,
    Seed,
    Text,
    node,
    nodes_in,
)


class Both(NamedTuple):
    model: Model
    clip: Clip


class Row(NamedTuple):
    file: Annotated[Path, File("loras")] = Path("a.safetensors")
    strength: Annotated[float, Range(-2, 2)] = 1.0


@node("test.everything", group="Test", version=2, upgrades={1: lambda params: params})
def everything(
    model: Annotated[Model, Affects("model")],
    mask: Mask | None = None,
    *,
    seed: Annotated[int, Seed()] = 7,
    steps: Annotated[int, Range(1, 100, soft=(1, 60))] = 20,
    sampler: Annotated[str, Choice(("euler", "heun"))] = "euler",
    text: Annotated[str, Text(lines=4, prompt=True)] = "",
    file: Annotated[Path, File("loras")] = Path("x.safetensors"),
    note: Annotated[str, Cosmetic(), Label("Remark", "Only for you.")] = "",
    loud: bool = False,
    rows: list[Row] = [],  # noqa: B006 - the declared default, never changed
    ctx: Context,
) -> Both:
    """Do everything.

    Args:
        model: The denoiser.
        steps: How many steps,
            at most a hundred.

    More help.
    """
    raise AssertionError("declared, never called")


SPEC = everything.__ponystudio_node__.spec


def test_sockets_and_outputs():
    assert [(i.name, i.type, i.optional, i.affects) for i in SPEC.inputs] == [
        ("model", "model", False, ("model",)),
        ("mask", "mask", True, ()),
    ]
    assert [(o.name, o.type) for o in SPEC.outputs] == [("model", "model"), ("clip", "clip")]


def test_params():
    params = SPEC.param_by_name
    assert (params["seed"].type, params["seed"].default, params["seed"].high) == (
        "seed",
        7,
        SEED_MAX,
    )
    assert (params["steps"].type, params["steps"].low, params["steps"].soft) == (
        "int",
        1,
        (1, 60),
    )
    assert params["sampler"].choices == ("euler", "heun")
    assert params["text"].prompt
    assert (params["file"].type, params["file"].kind, params["file"].default) == (
        "file",
        "loras",
        "x.safetensors",
    )
    assert params["note"].cosmetic
    assert (params["note"].title, params["note"].help) == ("Remark", "Only for you.")
    assert [field.name for field in params["rows"].fields] == ["file", "strength"]
    assert "ctx" not in params
    assert [params[n].socket_type for n in ("seed", "sampler", "file", "loud")] == [
        "int",
        "text",
        "text",
        "bool",
    ]


def test_help_comes_from_the_docstring():
    assert SPEC.help == "Do everything.\n\nMore help."
    assert SPEC.input_by_name["model"].help == "The denoiser."
    assert SPEC.param_by_name["steps"].help == "How many steps, at most a hundred."


def test_spec_survives_json():
    assert NodeSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


def test_a_single_output_is_named_after_its_type():
    @node("test.one")
    def one(image: Image) -> Latent:
        """Encode."""

    assert [(o.name, o.type) for o in one.__ponystudio_node__.spec.outputs] == [
        ("latent", "latent")
    ]
    assert one.__ponystudio_node__.spec.title == "One"


def test_nodes_in_a_module():
    module = ModuleType("pack")
    module.first, module.other = everything, print
    assert [item.spec.id for item in nodes_in(module)] == ["test.everything"]


@pytest.mark.parametrize(
    "declare",
    [
        lambda: node("nodots")(lambda: None),
        lambda: node("test.late", version=2)(lambda: None),
        lambda: node("test.star")(_star),
        lambda: node("test.nodefault")(_no_default),
        lambda: node("test.optional")(_half_optional),
        lambda: node("test.odd")(_odd_param),
        lambda: node("test.affects")(_affects_nothing),
        lambda: node("test.columns")(_column_affects_nothing),
        lambda: node("test.rows")(_rows_of_numbers),
        lambda: node("test.halfrows")(_rows_without_default),
    ],
)
def test_refused_when_declared(declare):
    with pytest.raises(TypeError):
        declare()


def _star(*images: Image) -> Image: ...
def _no_default(*, x: int) -> Image: ...
def _half_optional(image: Image | None) -> Image: ...
def _odd_param(*, x: complex = 1j) -> Image: ...
def _affects_nothing(model: Annotated[Model, Affects("modle")]) -> Both: ...


class StrangeRow(NamedTuple):
    strength: Annotated[float, Affects("modle")] = 1.0


def _column_affects_nothing(*, x: list[StrangeRow] = []) -> Both: ...  # noqa: B006
def _rows_of_numbers(*, x: list[int] = []) -> Image: ...  # noqa: B006


class HalfRow(NamedTuple):
    strength: float


def _rows_without_default(*, x: list[HalfRow] = []) -> Image: ...  # noqa: B006
