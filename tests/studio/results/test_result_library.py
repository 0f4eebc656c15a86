"""What the app knows of its pictures, together."""

from __future__ import annotations

from types import SimpleNamespace

from helpers.pictures import save_picture, text_to_picture


def test_the_picture_of_a_node_belongs_to_its_document_not_to_an_address(results, output):
    path = save_picture(output / "a.png", text_to_picture())
    results.add(SimpleNamespace(id="one"), "save", path)
    assert results.picture_of(SimpleNamespace(id="one"), "save") == path
    assert results.picture_of(SimpleNamespace(id="two"), "save") is None


def test_a_verdict_holds_until_the_file_changes(results, output, qtbot):
    path = save_picture(output / "a.png", text_to_picture())
    verdict = object()
    with qtbot.waitSignal(results.verified) as signal:
        results.have_verdict(path, verdict)
    assert signal.args == [path]
    assert results.verdicts == {path: verdict}
    results.changed_on_disk(path)
    assert results.verdicts == {}
