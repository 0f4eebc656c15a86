"""Open and Save as, in the dialogs themselves."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QMetaObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from helpers.graphs import CATALOG, picture
from ponystudio.app.window.file_dialogs import FileDialogs, file_name
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.formats import graph_file
from ponystudio.studio.documents.documents import Documents


@pytest.fixture
def documents(qapp, tmp_path):
    QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
    documents = Documents(tmp_path / "data", CATALOG)
    yield documents
    documents.shutdown()


@pytest.fixture
def dialogs(qtbot, documents):
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    return FileDialogs(documents, window)


def answer(dialogs: FileDialogs, qtbot, text: str) -> None:
    """Type a name and press the button; by its slot, since a dialog that still reads the folder may
    keep the button disabled."""
    dialog = dialogs.dialog
    assert QTest.qWaitForWindowExposed(dialog)
    line = dialog.findChild(QLineEdit, "fileNameEdit")

    def types() -> bool:
        line.setText(text)  # typed, a list of files would open some time, and take the click
        return line.text() == text

    qtbot.waitUntil(types, timeout=20_000)
    QMetaObject.invokeMethod(dialog, "accept", Qt.ConnectionType.DirectConnection)
    qtbot.waitUntil(lambda: dialogs.dialog is not dialog, timeout=20_000)
    QApplication.processEvents()


def test_a_new_document_is_saved_where_it_is_wanted(dialogs, documents, qtbot, tmp_path):
    document = documents.new_from(picture(), "Mine: the 1st/2nd")
    document.do(SetParam("sample", "seed", 5), "Change seed")
    dialogs.save()
    asked = dialogs.dialog
    assert asked.selectedFiles()[0].endswith("Mine the 1st 2nd.json")
    documents.save(document)
    assert dialogs.dialog is asked, "asked once is enough"
    answer(dialogs, qtbot, str(tmp_path / "saved"))
    documents.wait()
    assert document.path == tmp_path / "saved.json"
    assert not document.dirty


def test_a_graph_is_opened(dialogs, documents, qtbot, tmp_path):
    graph_file.write(picture(), tmp_path / "a.json")
    dialogs.open()
    answer(dialogs, qtbot, str(tmp_path / "a.json"))
    documents.wait()
    assert documents.current.path == tmp_path / "a.json"


def test_saving_all_asks_for_one_after_the_other(dialogs, documents, qtbot, tmp_path):
    for name in ("One", "Two", "Three"):
        documents.new_from(picture(), name).do(SetParam("sample", "seed", 5), "Change seed")
    documents.save_all()
    assert documents.current.title == "One", "the one that is asked for is shown"
    answer(dialogs, qtbot, str(tmp_path / "one.json"))
    assert documents.current.title == "Two"
    dialogs.dialog.reject()
    assert dialogs.dialog is None
    documents.wait()
    assert [document.dirty for document in documents] == [False, True, True]


def test_escape_changes_nothing(dialogs, documents, qtbot):
    document = documents.new_from(picture(), "Mine")
    dialogs.save_as()
    assert QTest.qWaitForWindowExposed(dialogs.dialog)
    QTest.keyClick(dialogs.dialog, Qt.Key.Key_Escape)
    assert dialogs.dialog is None
    assert document.path is None


@pytest.mark.parametrize(("title", "name"), [("a/b", "a b"), ("..", "graph"), ("ok", "ok")])
def test_any_title_makes_a_name(title, name):
    assert file_name(title) == name
