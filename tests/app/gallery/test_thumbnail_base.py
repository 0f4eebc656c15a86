"""Only thumbnails that are seen are made."""

from __future__ import annotations

import time

from helpers.pictures import drawn, save_picture
from ponystudio.app.gallery.results_strip import ResultsStrip


def test_only_what_is_visible_is_asked_for(results, output, scanned, qtbot):
    now = time.time()
    for number in range(60):
        save_picture(output / f"{number:03}.png", None, drawn((8, 8)), now - number)
    scanned()
    made = []
    results.thumbnails.ready.connect(made.append)
    strip = ResultsStrip(results)
    qtbot.addWidget(strip)
    strip.resize(280, 300)
    strip.show()
    qtbot.waitUntil(lambda: len(strip.listing.pictures) == 60)
    qtbot.waitUntil(lambda: len(set(made)) >= 9)
    qtbot.wait(50)
    assert len(set(made)) < 20
