"""Whole pictures in sizes that halve."""

from __future__ import annotations

import pytest
from PIL import Image

from ponystudio.studio.results.image_loader import decoded


@pytest.mark.parametrize(("width", "height"), [(2049, 31), (4097, 1501), (1, 5000), (3000, 3000)])
def test_smaller_sizes_show_all_of_the_picture(tmp_path, width, height):
    """Red at the left end, blue at the right, green at the bottom; also at odd sizes."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (width // 2, 0, width, height))
    picture.paste("lime", (0, height - height // 3, width, height))
    picture.save(tmp_path / "a.png")
    pyramid, _ = decoded(tmp_path / "a.png")
    assert pyramid is not None
    for level in pyramid.levels[1:]:
        assert level.pixelColor(level.width() - 1, 0).name() == "#0000ff"
        if level.height() >= 9:
            assert level.pixelColor(0, level.height() - 1).name() == "#00ff00"
    image, scale = pyramid.level(0.5)
    assert image.width() >= width * 0.5 - 1
    assert scale <= 1


def test_a_file_that_tells_little_of_much_takes_little(tmp_path):
    """A picture of one colour is a few kilobytes, and was 192 MB and more of pixels."""
    Image.new("RGB", (6000, 6000), "#4a62d8").save(tmp_path / "flat.png")
    pyramid, why = decoded(tmp_path / "flat.png")
    assert pyramid is not None, why
    assert (pyramid.size.width(), pyramid.size.height()) == (6000, 6000)
    assert pyramid.bytes < 128 * 2**20
    image, scale = pyramid.level(0.25)
    assert image.width() == 1500
    assert scale == 0.25
    assert pyramid.levels[0].pixelColor(0, 0).name() == "#4a62d8"


def test_what_has_its_pixels_in_the_file_is_kept_whole(tmp_path):
    picture = Image.effect_noise((6000, 6000), 60)
    picture.save(tmp_path / "noise.png", compress_level=1)
    pyramid, why = decoded(tmp_path / "noise.png")
    assert pyramid is not None, why
    assert pyramid.levels[0].width() == 6000
