"""Pictures as QImages: of files by way of the reader, of our own by two decoders alone."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QImage

from helpers import hostile_pictures
from ponystudio.errors import DamagedFile
from ponystudio.qt.picture_image import own_image, small_image, whole_image


def encoded(format: str, colour: object = (10, 200, 30), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (30, 20), colour).save(file, format)
    return file.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_what_we_have_written_is_shown(format):
    image = own_image(encoded(format))
    assert (image.width(), image.height()) == (30, 20)
    assert image.pixelColor(5, 5).green() > 190
    made = QImage(8, 4, QImage.Format.Format_RGB32)
    made.fill(0xFF336699)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    assert made.save(buffer, format)
    assert own_image(buffer.data().data()).size() == made.size()


@pytest.mark.parametrize("name", hostile_pictures.NO_PICTURES)
def test_no_other_decoder_of_qt_is_asked(name):
    """Whatever the bytes are: of a drawing Qt would open what it names."""
    assert own_image(hostile_pictures.NO_PICTURES[name]()).isNull()
    assert own_image(b"\x89PNG" + hostile_pictures.NO_PICTURES[name]()).isNull()
    with pytest.raises(DamagedFile):
        whole_image(hostile_pictures.NO_PICTURES[name]())


@pytest.mark.parametrize("format", ["GIF", "BMP", "WebP", "TIFF"])
def test_formats_that_we_never_write_are_not_shown_as_ours(format):
    assert own_image(encoded(format)).isNull()
    assert whole_image(encoded(format)).width() == 30


def test_pixels_come_as_the_painter_takes_them(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("PNG", (10, 200, 30, 128), "RGBA"))
    image = whole_image(tmp_path / "a.png")
    assert image.format() == QImage.Format.Format_ARGB32_Premultiplied
    assert image.pixelColor(3, 3).getRgb() == pytest.approx((10, 200, 30, 128), abs=2)
    (tmp_path / "b.png").write_bytes(encoded("PNG"))
    image = whole_image(tmp_path / "b.png")
    assert image.format() == QImage.Format.Format_RGB32
    assert image.pixel(3, 3) == 0xFF0AC81E
    small, width, height = small_image(tmp_path / "b.png", 15)
    assert (small.width(), small.height(), width, height) == (15, 10, 30, 20)
    square, *_ = small_image(tmp_path / "b.png", 8, fill=True)
    assert (square.width(), square.height()) == (8, 8)
