"""Where pictures stand in the viewer."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, QRectF, QSizeF

from ponystudio.app.gallery.picture_stage import ViewerCamera, contained


def test_the_camera_keeps_what_is_under_the_pointer_and_never_loses_the_picture():
    pane, size = QRectF(0, 0, 400, 300), QSizeF(1000, 500)
    fitted = ViewerCamera().fitted(pane, size)
    assert fitted.scale == pytest.approx(0.4)
    assert ViewerCamera().rect(pane, size) == QRectF(0, 50, 400, 200)
    far = fitted.panned(QPointF(1e6, -1e6), pane, size)
    assert (far.centre.x(), far.centre.y()) == (0, 1)
    assert contained(QSizeF(2, 1), QRectF(0, 0, 10, 10)) == QRectF(0, 2.5, 10, 5)
