"""How pictures of one shape are brought into another."""

from __future__ import annotations

import pytest

from ponystudio.diffusion.images.picture_shapes import ANCHORS, WAYS, Fitting, fitting

OLD = (200, 300)
WHOLE = (0, 0, 200, 300)


@pytest.mark.parametrize(
    ("width", "height", "way", "multiple", "anchor", "expected"),
    [
        (512, 512, "inside", 1, "center", Fitting(WHOLE, (341, 512))),
        (512, 512, "inside", 16, "center", Fitting(WHOLE, (336, 512))),
        (600, 0, "inside", 1, "center", Fitting(WHOLE, (400, 600))),
        (0, 100, "inside", 1, "center", Fitting(WHOLE, (100, 150))),
        (0, 0, "inside", 16, "center", Fitting(WHOLE, (192, 288))),
        (400, 400, "same area", 1, "center", Fitting(WHOLE, (326, 489))),
        (100, 50, "stretch", 8, "center", Fitting(WHOLE, (48, 96))),
        (100, 0, "stretch", 1, "center", Fitting(WHOLE, (200, 100))),
        (100, 100, "cut off", 1, "center", Fitting((0, 50, 200, 200), (100, 100))),
        (100, 100, "cut off", 1, "left", Fitting((0, 0, 200, 200), (100, 100))),
        (100, 100, "cut off", 1, "right", Fitting((0, 100, 200, 200), (100, 100))),
        (300, 100, "cut off", 1, "top", Fitting((0, 0, 100, 300), (100, 300))),
        (300, 100, "cut off", 1, "bottom", Fitting((100, 0, 100, 300), (100, 300))),
        (512, 512, "border", 1, "center", Fitting(WHOLE, (341, 512), (0, 85, 0, 86))),
        (512, 512, "border", 1, "top", Fitting(WHOLE, (341, 512), (0, 0, 0, 171))),
        # 336 + 85 + 86 is filled up to 512 at the bottom.
        (512, 512, "border", 16, "center", Fitting(WHOLE, (336, 512), (0, 85, 0, 91))),
        (900, 300, "border", 1, "right", Fitting(WHOLE, (300, 450), (450, 0, 0, 0))),
    ],
)
def test_where_it_comes_to_lie(width, height, way, multiple, anchor, expected):
    assert fitting(OLD, width, height, way, multiple, anchor) == expected


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("anchor", ANCHORS)
@pytest.mark.parametrize("old", [(1, 1), (1, 4000), (4000, 1), (65, 7)])
@pytest.mark.parametrize("size", [(0, 0), (1, 1), (0, 3), (16, 2000), (64, 64)])
def test_no_shape_is_too_strange(way, anchor, old, size):
    found = fitting(old, *size, way, 8, anchor)
    top, left, height, width = found.cut
    assert min(height, width) >= 1
    assert min(top, left) >= 0
    assert top + height <= old[0]
    assert left + width <= old[1]
    tall, wide = found.size
    before, above, behind, below = found.border
    assert min(found.border) >= 0
    assert (tall + above + below) % 8 == (wide + before + behind) % 8 == 0
