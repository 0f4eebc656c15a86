from __future__ import annotations

import pytest

from helpers.scenes import SAMPLE, SHOW, node
from ponystudio.canvas.scene import card_layout
from ponystudio.canvas.scene.card_layout import CardLayout
from ponystudio.widgets import metrics


class Row:
    """A field of one row, but for prompts."""

    def height(self, width: float, value: object) -> float:
        return 24.0


def laid_out(spec=SAMPLE, item=None, **looks: object) -> CardLayout:
    return card_layout.layout(item or node("a", "t.sample"), spec, looks, lambda param: Row())


def test_sockets_stand_on_the_edges_24_px_apart() -> None:
    found = laid_out()
    assert [row.centre.x() for row in found.inputs] == [0, 0, 0]
    assert [row.centre.y() for row in found.inputs] == [48, 72, 96]
    assert found.outputs[0].centre.x() == metrics.WIDTH
    assert found.inputs[0].hit.width() == 28
    assert found.inputs[0].hit.height() == 24


def test_kinds_tell_what_is_wired_and_what_must_be() -> None:
    found = laid_out(item=node("a", "t.sample", {"latent": ("b", "latent")}))
    assert [row.kind for row in found.inputs] == ["required", "connected", "optional"]


def test_params_follow_4_px_apart_inset_10() -> None:
    first, second = laid_out().params
    assert first.rect.left() == 10
    assert first.rect.width() == 220
    assert second.rect.top() - first.rect.bottom() == 4


def test_a_card_ends_with_its_status_line() -> None:
    found = laid_out()
    assert found.status is not None
    assert found.status.bottom() == found.size.height()
    assert found.status.height() == 26


@pytest.mark.parametrize(("asked", "width"), [(None, 240), (100, 160), (9999, 480), (203, 200)])
def test_widths_are_kept_in_bounds_and_on_the_grid(asked: object, width: int) -> None:
    assert laid_out(width=asked).size.width() == width


@pytest.mark.parametrize("asked", ["wide", True, [1], float("1e400")])
def test_a_senseless_width_is_the_usual_one(asked: object) -> None:
    assert 160 <= laid_out(width=asked).size.width() <= 480


def test_collapsed_sockets_lie_on_each_other() -> None:
    found = laid_out(collapsed=True)
    assert found.size.height() == 32
    assert {row.centre.y() for row in (*found.inputs, *found.outputs)} == {16}
    assert not found.params
    assert found.status is None


def test_a_param_that_is_wired_has_a_socket_beside_its_row() -> None:
    found = laid_out(item=node("a", "t.sample", {"steps": ("b", "int")}))
    row = found.input("steps")
    assert row
    assert row.param
    assert row.kind == "connected"
    assert row.type == "int"
    assert row.centre.y() == found.params[0].rect.center().y()


def test_a_param_may_be_shown_as_a_socket() -> None:
    row = laid_out(sockets=["cfg"]).input("cfg")
    assert row
    assert row.kind == "optional"


def test_an_unknown_node_shows_what_its_links_tell() -> None:
    item = node("a", "gone.node", {"image": ("b", "image")})
    found = card_layout.layout(item, None, {}, lambda param: None, {"mask"})
    assert [row.name for row in found.inputs] == ["image"]
    assert [row.name for row in found.outputs] == ["mask"]


def test_room_for_a_picture_is_kept_before_there_is_one() -> None:
    assert laid_out(SHOW, node("a", "t.show")).picture is not None
    assert laid_out(SHOW, node("a", "t.show"), preview=False).picture is None
    assert laid_out().picture is None


def test_cards_that_look_alike_share_their_layout() -> None:
    class Tall(Row):
        def height(self, width: float, value: object) -> float:
            return 24.0 * int(value)  # type: ignore[call-overload]

    known: dict[tuple[object, ...], CardLayout] = {}
    field = Tall()

    def of(item=None, used=(), **looks: object) -> CardLayout:
        item = item or node("a", "t.sample", params={"steps": 2})
        found = card_layout.layout(item, SAMPLE, looks, lambda param: field, used, known)
        assert found == card_layout.layout(item, SAMPLE, looks, lambda param: field, used)
        return found

    first = of()
    assert of(node("b", "t.sample", params={"steps": 2})) is first
    assert of(used=["latent"]) is first
    others = [
        of(node("b", "t.sample", params={"steps": 3})),
        of(node("b", "t.sample", {"latent": ("a", "latent")}, params={"steps": 2})),
        of(used=["gone"]),
        of(width=320),
        of(collapsed=True),
        of(preview=True),
        of(sockets=["steps"]),
    ]
    assert all(other != first for other in others)
    assert len({id(item) for item in (first, *others)}) == 8


def test_of_sockets_that_the_spec_does_not_know_so_many_have_a_row() -> None:
    links = {f"i{i}": ("b", f"o{i}") for i in range(3 * card_layout.MOST_UNKNOWN)}
    found = laid_out(item=node("a", "t.sample", {**links, "latent": ("b", "latent")}))
    assert found.input("latent").kind == "connected"
    assert found.input("i0") is not None
    assert len(found.inputs) == card_layout.MOST_UNKNOWN + 3
