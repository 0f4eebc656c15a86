"""What all cameras share."""

from PySide6.QtCore import QObject, QSizeF

from ponystudio.widgets.camera import CameraAnimation, fitting_zoom, zoom_between


def test_zoom_goes_at_an_even_pace() -> None:
    assert zoom_between(0.25, 4.0, 0.5) == 1.0
    assert (zoom_between(0.5, 2.0, 0.0), zoom_between(0.5, 2.0, 1.0)) == (0.5, 2.0)


def test_what_fits_touches_two_edges() -> None:
    assert fitting_zoom(QSizeF(200, 50), QSizeF(100, 100)) == 0.5


def test_it_arrives_once_and_slows_down_on_the_way(qtbot) -> None:
    parent, shares, arrivals = QObject(), [], []
    animation = CameraAnimation(parent)
    animation.moved.connect(shares.append)
    animation.arrived.connect(lambda: arrivals.append(animation.active))
    with qtbot.waitSignal(animation.arrived):
        animation.start()
        assert animation.active
    assert arrivals == [False]
    assert shares == sorted(shares)
    assert all(0 <= share < 1 for share in shares)
