"""Cameras as files keep them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from ponystudio.canvas.view.camera_view import Camera


def test_a_camera_is_kept_in_the_file() -> None:
    camera = Camera(QPointF(12.5, -3), 0.88)
    assert Camera.from_json(camera.to_json()) == camera


@pytest.mark.parametrize("entry", [None, {}, {"center": [1], "zoom": 1}, {"center": [1, 2]}, "x"])
def test_a_senseless_camera_is_none(entry: object) -> None:
    assert Camera.from_json(entry) is None
