"""Pictures on cards, as far as the tests of the runner do not tell of them."""

from __future__ import annotations

import shiboken6
from PySide6.QtGui import QImage

from helpers.running import document_of, make, tiny_catalog
from ponystudio.studio.runs.last_run import LastPicture
from ponystudio.studio.runs.node_previews import LONGEST, NodePreviews, small_copy


def saved(path, width: int, height: int):
    picture = QImage(width, height, QImage.Format.Format_RGB32)
    picture.fill(0xFF336699)
    assert picture.save(str(path))
    return path


def test_a_document_that_is_closed_meanwhile_gets_none(qapp, tmp_path):
    path = saved(tmp_path / "end.png", 8, 4)
    document = document_of(make("end", "steps"), catalog=tiny_catalog())
    pictures, shown = NodePreviews(), []
    last = LastPicture(str(path), path.stat().st_mtime_ns, "key")
    pictures.last.note("scope", {"end": last})
    pictures.show_last(document, "scope", lambda: shown.append("end"))
    shiboken6.delete(document)
    pictures.work.wait()
    assert shown == []
    pictures.close()


def test_copies_are_small_and_what_is_gone_is_none(tmp_path):
    copy, _ = small_copy(str(saved(tmp_path / "wide.png", 3 * LONGEST, 30)))
    assert copy.size().toTuple() == (LONGEST, 10)
    copy, _ = small_copy(str(saved(tmp_path / "small.png", 8, 4)))
    assert copy.size().toTuple() == (8, 4)
    copy, written = small_copy(str(tmp_path / "gone.png"))
    assert copy.isNull()
    assert written == 0
