"""How two pictures differ, in words."""

from __future__ import annotations

from helpers.gallery import CONTROL, film_click
from ponystudio.app.gallery.picture_details import DifferenceRow


def test_differences_are_told_in_words_and_pixels(gallery, results, qtbot):
    film_click(gallery, 3)
    film_click(gallery, 0, CONTROL)

    def known() -> bool:
        finding = gallery.comparer.finding
        return bool(finding and finding.graphs and finding.pixels)

    qtbot.waitUntil(known)

    def told() -> list[str]:
        rows = gallery.side.findChildren(DifferenceRow)
        return [row.accessibleName() for row in rows if row.isVisible()]

    qtbot.waitUntil(lambda: any("steps: 23 in A, 20 in B" in row for row in told()))
    assert gallery.side.apply_button.isVisible()
    assert "differ by more than 8/255" in gallery.side.pixels.share.text()
    with qtbot.waitSignal(results.actions.apply_values_requested) as signal:
        gallery.side.apply_button.click()
    assert signal.args[0].name == "p0.png"
    film_click(gallery, 0, CONTROL)
    assert not gallery.side.apply_button.isVisible()
