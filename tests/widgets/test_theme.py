from __future__ import annotations

import pytest

from ponystudio.widgets import theme


@pytest.fixture(autouse=True)
def _dark(qapp):
    yield
    theme.use("dark")
    theme.set_scale(1.0)


def test_both_themes_have_every_color() -> None:
    theme.use("dark")
    dark = theme.current().color("canvas").name()
    theme.use("light")
    assert dark == "#16171a"
    assert theme.current().color("canvas").name() == "#e6e8eb"


def test_changing_the_theme_is_told(qtbot) -> None:
    theme.use("dark")
    with qtbot.waitSignal(theme.hub.changed):
        theme.use("light")


@pytest.mark.parametrize("kind", ["model", "latent", "sigmas", "float", "no such type"])
def test_every_socket_has_a_shape_around_its_centre(kind: str) -> None:
    look = theme.current().socket(kind)
    box = look.path.boundingRect()
    assert box.contains(0, 0)
    assert 5 <= max(box.width(), box.height()) <= 14


def test_values_are_small_and_things_are_big() -> None:
    look = theme.current()
    assert look.socket("image").big
    assert not look.socket("int").big


def test_groups_go_by_title_key_and_old_name() -> None:
    look = theme.current()
    assert look.group("Models") == look.group("models") == look.group("Loading")
    assert look.group("Somebody's pack").key == "util"


def test_header_is_card_mixed_with_the_hue() -> None:
    theme.use("dark")
    assert theme.current().group("models").header.name() == "#484464"


def test_fonts_scale_for_widgets_and_not_for_the_canvas() -> None:
    theme.set_scale(1.5)
    assert theme.font("body").pixelSize() == 18
    assert theme.current().font("body").pixelSize() == 12


def test_no_text_is_under_11_px() -> None:
    assert all(theme.font(role).pixelSize() >= 11 for role in theme.font_roles())


def test_icons_are_sharp_at_any_ratio() -> None:
    icon = theme.icon("play")
    assert icon.pixmap(16, 16).width() == 16
    assert not icon.isNull()
