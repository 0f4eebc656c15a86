"""Which pictures are compared, how, and in what their pixels differ."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QSize
from PySide6.QtGui import QColor, QImage

from ponystudio.studio.results.comparison import ComparedPair, compare


def plain(size: tuple[int, int], color: str = "#808080") -> QImage:
    image = QImage(QSize(*size), QImage.Format.Format_RGB32)
    image.fill(QColor(color))
    return image


def test_equal_pictures_differ_in_nothing():
    found = compare(plain((70, 33)), plain((70, 33)))
    assert (found.share, found.largest, found.scaled) == (0, 0, False)
    assert found.picture.pixelColor(5, 5) == QColor("black")


def test_a_single_pixel_is_counted_and_shows_in_a_smaller_picture():
    a, b = plain((2000, 1300)), plain((2000, 1300))
    b.setPixelColor(QPoint(1234, 777), QColor("#ff8080"))
    found = compare(a, b)
    assert found.share == pytest.approx(1 / (2000 * 1300))
    assert found.largest == 255 - 128
    heat = found.picture
    at = QPoint(1234 * heat.width() // 2000, 777 * heat.height() // 1300)
    near = [
        heat.pixelColor(at + QPoint(dx, dy)).lightness() for dx in (-1, 0, 1) for dy in (-1, 0, 1)
    ]
    assert max(near) > 80


def test_small_differences_count_for_nothing():
    found = compare(plain((16, 16), "#808080"), plain((16, 16), "#888888"))
    assert (found.share, found.largest) == (0, 8)


def test_pictures_of_different_sizes_are_compared_at_the_smaller_one():
    found = compare(plain((512, 512)), plain((128, 128)))
    assert found.scaled
    assert found.size == QSize(128, 128)
    assert found.share == 0


def test_pairs_are_made_and_kept(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    pair = ComparedPair().clicked(b, False).clicked(a, True)
    assert (pair.a, pair.b, pair.mode) == (b, a, "slide")
    assert pair.clicked(c, False) == ComparedPair(b, c, "slide")
    assert pair.existing([c, b]) == ComparedPair(None, b, "one")
    assert ComparedPair().existing([]) == ComparedPair()
    assert ComparedPair(None, a).with_mode("side", [a]).mode == "one"  # nothing to compare with
    assert pair.marked(c).a == c
