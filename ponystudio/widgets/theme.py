"""The look's colours, shapes, icons and fonts, read from resources/look.json.

Widgets take `theme.font(role)` and `theme.icon(name)`, which follow the UI scale. What is painted
on the canvas takes `theme.current().font(role)` and is scaled by the view. Whoever keeps something
made from a theme makes it anew when `theme.hub.changed` fires.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QIcon,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
)

from ponystudio.widgets import icon_path as svg_path
from ponystudio.widgets import metrics

Name = Literal["dark", "light"]

# What LOOK and its pictures call things by other names than look.json does.
_ICONS = {
    "add": "plus",
    "close": "x",
    "run": "play",
    "templates": "docs",
    "settings": "gear",
    "memory": "ram",
    "device": "chip",
    "run_again": "again",
    "delete": "trash",
    "minimap": "mapi",
    "sampling": "wave",
    "upscale": "up4",
    "detach": "ext",
    "unload": "eject",
    "flicker": "flick",
    "util": "gear",
    "utility": "gear",
}
_GROUPS = {"utility": "util", "loading": "models", "prompting": "text", "upscaling": "upscale"}
_GROUP_ICONS = {
    "models": "models",
    "text": "text",
    "latent": "latent",
    "sampling": "wave",
    "image": "image",
    "mask": "mask",
    "upscale": "up4",
    "util": "gear",
}
_SOCKETS = {"guider": "sampler", "seed": "int", "choice": "text", "file": "text"}
_SMALL = frozenset({"float", "int", "text", "bool"})

# role: (px, weight, fixed width, line height in px)
_FONTS: dict[str, tuple[int, QFont.Weight, bool, int]] = {
    "page": (20, QFont.Weight.DemiBold, False, 28),
    "title": (14, QFont.Weight.DemiBold, False, 20),
    "node": (13, QFont.Weight.DemiBold, False, 32),
    "body": (12, QFont.Weight.Normal, False, 16),
    "prompt": (12, QFont.Weight.Normal, False, 18),
    "caption": (11, QFont.Weight.Normal, False, 16),
    "group": (11, QFont.Weight.DemiBold, False, 16),
    "mono": (12, QFont.Weight.Normal, True, 16),
    "mono_caption": (11, QFont.Weight.Normal, True, 16),
}


@dataclass(frozen=True)
class SocketLook:
    """A socket type's colour and its shape, centred on (0, 0) in px; `big` for things."""

    color: QColor
    path: QPainterPath
    big: bool

    @property
    def shape_path(self) -> QPainterPath:
        return self.path


@dataclass(frozen=True)
class GroupLook:
    """The colours of a node group: of its cards' headers, near and far, and of frames."""

    key: str
    title: str
    icon: str
    hue: QColor
    header: QColor
    far: QColor
    frame_fill: QColor
    frame_line: QColor


class Theme:
    """One of the two themes. Values are made once and shared: do not change them."""

    def __init__(self, name: Name) -> None:
        look = _look()
        self.name: Name = name
        self.dark = name == "dark"
        self._colors = {token: QColor(value) for token, value in look["themes"][name].items()}
        self._sockets: dict[str, SocketLook] = {}
        self._groups: dict[str, GroupLook] = {}

    def color(self, token: str) -> QColor:
        return self._colors[token]

    def socket(self, type: str) -> SocketLook:
        """The look of a socket type; one that is not known looks like "any"."""
        found = self._sockets.get(type)
        if found is None:
            known = _look()["sockets"]
            key = type.removesuffix("[]")
            key = _SOCKETS.get(key, key)
            entry = known.get(key, known["any"])
            found = self._sockets[type] = SocketLook(
                QColor(entry[self.name]), shape_path(entry["shape"]), key not in _SMALL
            )
        return found

    def group(self, title_or_key: str) -> GroupLook:
        """The look of a node group; one that is not known looks like Utility."""
        found = self._groups.get(title_or_key)
        if found is None:
            found = self._groups[title_or_key] = self._mixed(group_key(title_or_key))
        return found

    def _mixed(self, key: str) -> GroupLook:
        entry, mix = _look()["groups"][key], _look()["mix"]
        hue, card, canvas = QColor(entry["hue"]), self.color("card"), self.color("canvas")
        return GroupLook(
            key,
            entry["title"],
            _GROUP_ICONS[key],
            hue,
            mixed(card, hue, mix["header"][self.name]),
            mixed(card, hue, mix["header_far"]),
            mixed(canvas, hue, mix["frame_fill"][self.name]),
            mixed(canvas, hue, mix["frame_line"][self.name]),
        )

    def font(self, role: str) -> QFont:
        """A font at 100 %, for what the view scales."""
        return _font(role, 1.0)

    def icon_path(self, name: str) -> QPainterPath:
        """An icon's lines in a box of 16 px, to be stroked 1.5 px wide with round ends."""
        return icon_path(name)

    def icon(self, name: str, color_token: str = "text2", size: int = 16) -> QIcon:
        return _icon(self.name, name, color_token, round(size * _state.scale))


class ThemeSignals(QObject):
    """Tells when theme, UI scale, motion or density changed."""

    changed = Signal()


class _State:
    def __init__(self) -> None:
        self.theme: Theme | None = None
        self.scale = 1.0
        self.reduced_motion = False
        self.density = metrics.COMFORTABLE


hub = ThemeSignals()
_state = _State()


@cache
def _theme(name: Name) -> Theme:
    return Theme(name)


def current() -> Theme:
    return _state.theme or _theme("dark")


def use(name: Name) -> None:
    """Change the theme of the whole app."""
    if current().name != name or _state.theme is None:
        _state.theme = _theme(name)
        hub.changed.emit()


def scale() -> float:
    """The UI scale, 1.0 at 100 %."""
    return _state.scale


def set_scale(factor: float) -> None:
    if factor != _state.scale:
        _state.scale = factor
        hub.changed.emit()


def reduced_motion() -> bool:
    """Whether nothing may fade, drift or glide."""
    return _state.reduced_motion


def set_reduced_motion(on: bool) -> None:
    if on != _state.reduced_motion:
        _state.reduced_motion = on
        hub.changed.emit()


def density() -> metrics.Density:
    """How close everything stands."""
    return _state.density


def set_density(density: metrics.Density) -> None:
    if density != _state.density:
        _state.density = density
        hub.changed.emit()


def font(role: str) -> QFont:
    """A font for widgets: page, title, node, body, prompt, caption, group, mono, mono_caption."""
    return _font(role, _state.scale)


def font_roles() -> tuple[str, ...]:
    """What `font` knows fonts for."""
    return tuple(_FONTS)


def icon(name: str, color_token: str = "text2", size: int = 16) -> QIcon:
    return current().icon(name, color_token, size)


def group_key(title_or_key: str) -> str:
    """The key in look.json of a group that is named by its title or key; "util" if unknown."""
    key = title_or_key.strip().lower()
    key = _GROUPS.get(key, key)
    return key if key in _look()["groups"] else "util"


def group_keys() -> tuple[str, ...]:
    """The keys of all groups in their order."""
    return tuple(_look()["groups"])


def mixed(ground: QColor, other: QColor, share: float) -> QColor:
    """`ground` with a share of another colour mixed in."""
    return QColor(
        round(ground.red() + (other.red() - ground.red()) * share),
        round(ground.green() + (other.green() - ground.green()) * share),
        round(ground.blue() + (other.blue() - ground.blue()) * share),
    )


def icon_names() -> tuple[str, ...]:
    """The icons that the look has, by their names in look.json."""
    return tuple(_look()["icons_16"])


@cache
def icon_path(name: str) -> QPainterPath:
    known = _look()["icons_16"]
    name = _ICONS.get(name, name) if name not in known else name
    return svg_path.parse(known.get(name, known["nodes"]))


@cache
def shape_path(name: str) -> QPainterPath:
    """A socket's shape, centred on (0, 0)."""
    return svg_path.parse(_look()["shapes_16"][name]).translated(QPointF(-8, -8))


def icon_pen(color: QColor, width: float = 1.5) -> QPen:
    return QPen(
        color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
    )


@cache
def _look() -> dict[str, Any]:
    from ponystudio_resources import path

    look: dict[str, Any] = json.loads(path("look.json").read_text(encoding="utf-8"))
    return look


@lru_cache(maxsize=256)
def _font(role: str, factor: float) -> QFont:
    px, weight, fixed, _ = _FONTS[role]
    system = QFontDatabase.SystemFont
    result = QFontDatabase.systemFont(system.FixedFont if fixed else system.GeneralFont)
    result.setPixelSize(max(1, round(px * factor)))
    result.setWeight(weight)
    # Widths must not depend on the zoom, or texts would dance while it changes.
    result.setHintingPreference(QFont.HintingPreference.PreferVerticalHinting)
    return result


@lru_cache(maxsize=1024)
def _icon(theme: Name, name: str, token: str, size: int) -> QIcon:
    result = QIcon()
    of = _theme(theme)
    for mode, color in (
        (QIcon.Mode.Normal, of.color(token)),
        (QIcon.Mode.Disabled, of.color("line2")),
    ):
        for ratio in (1.0, 1.25, 1.5, 2.0, 3.0):
            result.addPixmap(_stroked(icon_path(name), color, size, ratio), mode)
    return result


def _stroked(path: QPainterPath, color: QColor, size: int, ratio: float) -> QPixmap:
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / 16, size / 16)
    painter.strokePath(path, icon_pen(color))
    painter.end()
    return pixmap
