"""Commands that need more than one part of a canvas."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage

from helpers.hands import CTRL

Key = Qt.Key


def test_a_frame_is_drawn_around_the_selection_and_titled(canvas, hands):
    canvas.scene.store.select(["positive", "negative"])
    hands.key(Key.Key_G, CTRL)
    edit = canvas.view.editors.widget
    edit.setText("Words")
    hands.key(Key.Key_Return, widget=edit)
    (frame,) = canvas.graph.view["frames"]
    assert (frame["title"], frame["hue"]) == ("Words", "text")
    assert set(canvas.scene.store.frame_contents(0)) == {"positive", "negative"}
    canvas.commands.edit.selection.recolour([0], "image")
    assert canvas.scene.store.frame_items[0].hue == "image"


def test_a_tap_of_space_opens_the_palette(canvas, hands):
    hands.key(Key.Key_Space)
    assert canvas.palette.isVisible()


def test_a_picture_on_the_clipboard_is_as_if_dropped(canvas, hands):
    got = []
    canvas.commands.gestures.dropped.connect(lambda data, at: got.append(data.hasImage()))
    image = QImage(8, 8, QImage.Format.Format_RGB32)
    image.fill(0)
    QGuiApplication.clipboard().setImage(image)
    hands.key(Key.Key_V, CTRL)
    assert got == [True]
    assert canvas.steps == 0
