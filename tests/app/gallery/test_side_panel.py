"""What is known of a picture, and what may be done with it."""

from __future__ import annotations

import json

from PIL import Image
from PySide6.QtWidgets import QLabel

from helpers import foreign_pictures
from helpers.gallery import COLORS, CONTROL, color_at, film_click
from ponystudio.graph.digital_source import COMPOSITE
from ponystudio.graph.formats.embedded_metadata import RECEIPT
from ponystudio.graph.formats.picture_writer import embed
from ponystudio.graph.formats.receipt import Verdict


def test_a_picture_is_verified_and_its_details_say_so(gallery, results, qtbot):
    def said():
        return [label.text() for label in gallery.side.findChildren(QLabel) if label.isVisible()]

    path = gallery.current().path
    with qtbot.waitSignal(results.actions.verify_requested) as signal:
        gallery.side.verify_button.click()
    assert signal.args[0] == path
    assert not any("made again" in text for text in said())
    results.have_verdict(path, Verdict("", ()))
    assert any("The same in every pixel" in text for text in said())
    results.have_verdict(path, Verdict("1 % of its pixels differ", ("torch was 1, is 2",)))
    assert any("1 % of its pixels differ" in text for text in said())
    assert any("torch was 1, is 2" in text for text in said())
    results.changed_on_disk(path)
    film_click(gallery, 1)
    film_click(gallery, 0)
    assert gallery.current().path == path
    assert not any("made again" in text for text in said())


def test_licences_and_the_mark_are_told(gallery, results, output, qtbot):
    receipt = {"models": {"sub/mane.safetensors": {"licence": "CC0-1.0"}, "b.ckpt": {}}}
    fields = {RECEIPT: json.dumps(receipt)}
    embed(Image.new("RGB", (8, 8)), output / "m.png", "png", fields, source_type=COMPOSITE)
    results.index.add(output / "m.png")
    qtbot.waitUntil(lambda: gallery.listing.row(output / "m.png") >= 0)
    gallery.show_paths([output / "m.png"])
    qtbot.waitUntil(lambda: gallery.current().name == "m.png")
    said = [label.text() for label in gallery.side.findChildren(QLabel)]
    assert any("mane: CC0-1.0" in text for text in said)
    assert any("Made by AI in part" in text for text in said)
    assert not any("b: " in text for text in said)


def test_what_does_not_tell_how_it_was_made_cannot_be_verified(gallery, results, output, qtbot):
    Image.new("RGB", (8, 8)).save(output / "plain.png")
    results.index.add(output / "plain.png")
    qtbot.waitUntil(lambda: gallery.listing.row(output / "plain.png") >= 0)
    gallery.show_paths([output / "plain.png"])
    qtbot.waitUntil(lambda: gallery.current().name == "plain.png")
    assert not gallery.side.verify_button.isEnabled()


def test_another_programs_picture_opens_as_the_graph_that_makes_it(gallery, results, output, qtbot):
    for name, data in (
        ("theirs.png", foreign_pictures.png(foreign_pictures.WRITERS["SwarmUI"])),
        ("nobodys.png", foreign_pictures.png({"Author": "me"})),
    ):
        (output / name).write_bytes(data)
        results.index.add(output / name)
        qtbot.waitUntil(lambda path=output / name: gallery.listing.row(path) >= 0)
        gallery.show_paths([output / name])
        qtbot.waitUntil(lambda name=name: gallery.current().name == name)
        assert gallery.side.graph_button.isEnabled() is (name == "theirs.png")
    assert not gallery.side.verify_button.isEnabled()


def test_the_difference_can_be_seen_large(gallery, results, qtbot):
    film_click(gallery, 3)
    film_click(gallery, 0, CONTROL)
    qtbot.waitUntil(lambda: gallery.comparer.finding.pixels is not None)
    tile = gallery.side.pixels.heat_tile
    tile.click()
    heat = gallery.comparer.finding.pixels.picture.pixelColor(0, 0).name()
    view = gallery.view
    assert color_at(gallery, view.width() / 2, view.height() / 2) == heat
    tile.click()
    assert color_at(gallery, view.width() / 2 + 80, view.height() / 2 + 90) == COLORS[0]
