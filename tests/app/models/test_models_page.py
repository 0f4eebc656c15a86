"""The page of model files: what is listed, what fits, and the way onto the canvas."""

from __future__ import annotations

import hashlib
import shutil

import numpy
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QDrag, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from safetensors.numpy import save_file

from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import NONE, open_window, show_graph
from ponystudio.app.models.models_page import ModelsPage
from ponystudio.errors import DamagedFile
from ponystudio.graph.editing.edits import AddNode
from ponystudio.graph.formats import graph_file as graph_file
from ponystudio.graph.model import Node
from ponystudio.studio.models.model_list import ENTRY, FACT
from ponystudio_resources import path as resource

LEFT = Qt.MouseButton.LeftButton
UPSCALERS = ("realesr-animevideov3-x4", "realesrgan-x4plus-anime")


@pytest.fixture
def home(tmp_path, monkeypatch, qapp):
    monkeypatch.setenv("PONYSTUDIO_HOME", str(tmp_path))
    shipped = next(resource("models", "upscale_models").glob("realesr-animevideov3-x4*"))
    folder = tmp_path / "data/models/upscale_models"
    folder.mkdir(parents=True)
    shutil.copy(shipped, folder / f"mine{shipped.suffix}")
    loras = tmp_path / "data/models/loras"
    loras.mkdir()
    (loras / "broken.safetensors").write_bytes(b"nothing of a model")
    said = {"modelspec.license": "CC0-1.0", "modelspec.trigger_phrase": "ink wash, sumi-e"}
    said |= {
        "ss_tag_frequency": '{"10_ink": {"ink": 12}}',
        "modelspec.usage_hint": "Use it gently.",
    }
    write_lora(loras / "ink.safetensors", 768, said)
    write_lora(loras / "clay.safetensors", 2048, {})
    embeddings = tmp_path / "data/models/embeddings"
    embeddings.mkdir()
    vector = numpy.zeros((1, 768), numpy.float32)
    save_file({"emb_params": vector}, embeddings / "birb.safetensors")
    return tmp_path


def write_lora(path, width: int, metadata: dict[str, str]) -> None:
    """Of one layer, for a text encoder's output of that width."""
    block = "input_blocks_4_1" if width == 2048 else "down_blocks_0_attentions_0"
    name = f"lora_unet_{block}_transformer_blocks_0_attn2_to_k"
    down, up = numpy.zeros((4, width), numpy.float16), numpy.zeros((320, 4), numpy.float16)
    tensors = {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
    save_file(tensors, path, metadata=metadata)


@pytest.fixture
def window(home):
    with open_window() as window:
        window.toggle_panel("models")
        yield window


@pytest.fixture
def page(window) -> ModelsPage:
    page = window.shell.pages.currentWidget()
    assert isinstance(page, ModelsPage)
    until(lambda: page.model.rowCount() >= 8, 10)
    until(lambda: all(page.model.index(r).data(FACT) for r in range(page.model.rowCount())), 10)
    return page


def names(page) -> list[str]:
    return [page.model.index(row).data().split(".")[0] for row in range(page.model.rowCount())]


def choose(page, name: str) -> None:
    page.list.setCurrentIndex(page.model.index(names(page).index(name)))


def test_files_of_all_folders_are_listed(page):
    assert {"mine", "broken", *UPSCALERS} <= set(names(page))
    assert page.search.hasFocus()


def test_files_of_a_folder_that_is_added_are_there_at_once(window, page, tmp_path):
    folder = tmp_path / "others/loras"
    folder.mkdir(parents=True)
    (folder / "another.safetensors").write_bytes(b"nothing of a model")
    window.add_models(folder.parent)
    until(lambda: "another" in names(page), 10)


def chip(page, words: str) -> QPushButton:
    return next(b for b in page.findChildren(QPushButton) if b.text().startswith(words))


def test_letters_and_chips_narrow_it(page):
    QTest.keyClicks(page.search, "realesr anime")
    until(lambda: set(names(page)) == set(UPSCALERS), 5)
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    QTest.mouseClick(chip(page, "LoRAs"), LEFT)
    assert names(page) == ["broken", "clay", "ink"]
    QTest.mouseClick(chip(page, "SD 1.5"), LEFT)
    assert names(page) == ["ink"]
    QTest.keyClicks(page.search, "xyzzy")
    until(lambda: names(page) == [], 5)
    assert page.empty.isVisible()
    QTest.mouseClick(page.empty.button, LEFT)
    assert {"mine", "ink"} <= set(names(page))


def test_trigger_words_are_found(page):
    QTest.keyClicks(page.search, "sumi")
    until(lambda: names(page) == ["ink"], 5)


def test_what_was_chosen_stays_so_in_another_order(window, page):
    choose(page, "mine")
    before = names(page)
    page.filters.order.setCurrentIndex(page.filters.order.findData("largest"))
    page.filters.order.activated.emit(page.filters.order.currentIndex())
    assert names(page) != before
    assert page.list.currentIndex().data(ENTRY).name.startswith("mine")
    assert window.settings.get("model_order") == "largest"


def test_what_is_no_model_says_so(page):
    choose(page, "broken")
    assert page.chosen().problem
    assert "This is a text file, not a model" in texts(page.pane)
    choose(page, "mine")
    assert not page.chosen().problem


def texts(widget) -> str:
    shown = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    return "\n".join(shown)


def test_the_pane_tells_what_a_file_is_and_says(page):
    choose(page, "ink")
    until(lambda: "sumi-e" in [b.text() for b in page.pane.findChildren(QPushButton)], 5)
    until(lambda: "Safe file" in texts(page.pane), 5)
    said = texts(page.pane)
    for word in ("SD 1.5", "LoRA", "Safe file", "rank 4", "CC0-1.0", "Use it gently.", "ink 12"):
        assert word in said
    QTest.mouseClick(chip(page.pane, "sumi-e"), LEFT)
    assert QGuiApplication.clipboard().text() == "sumi-e"
    QTest.mouseClick(page.pane.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "ink.safetensors"
    choose(page, "mine")
    assert "CC0-1.0" not in texts(page.pane)
    assert "Safe file" not in texts(page.pane)  # until it was looked into


def test_a_hash_is_computed_when_it_is_asked_for(page, home):
    choose(page, "mine")
    path = page.chosen().path
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert expected[:10] not in texts(page.pane)
    QTest.mouseClick(page.pane.hash.compute, LEFT)
    until(lambda: page.chosen().sha256 == expected, 10)
    until(lambda: expected[:10] in texts(page.pane), 5)
    QTest.mouseClick(page.pane.hash.whole, LEFT)
    assert QGuiApplication.clipboard().text() == expected
    QTest.keyClicks(page.search, expected[:8])
    until(lambda: "mine" in names(page) and "ink" not in names(page), 5)


def test_why_a_hash_could_not_be_computed_stands_there_until_it_is_asked_again(page):
    choose(page, "mine")
    page.hasher.failed.emit(page.chosen().path, DamagedFile("It cannot be read."))
    page.refresh()
    assert "It cannot be read." in texts(page.pane)
    QTest.mouseClick(page.pane.hash.compute, LEFT)
    assert "It cannot be read." not in texts(page.pane)


def test_a_file_that_is_chosen_before_it_is_known_is_looked_into_then(window, page):
    choose(page, "mine")
    window.field_services.facts.forget()
    page.list.setCurrentIndex(page.model.index(names(page).index("ink")))
    assert page.chosen() is None
    until(lambda: "Use it gently." in texts(page.pane), 10)


def test_what_a_stack_of_the_graph_names_is_in_use(window, page):
    rows = [{"on": on, "file": name} for on, name in ((True, "ink.safetensors"), (False, "c.pt"))]
    stack = Node("stack", "core.apply_loras", 1, {"loras": rows})
    window.documents.current.do(AddNode(stack, {"pos": [0, 0]}), "Add")
    page.refresh()
    assert page.model.context.in_use == {"loras/ink.safetensors"}


def test_stars_are_kept_and_can_be_all_there_is(window, page):
    choose(page, "ink")
    QTest.mouseClick(page.pane.star, LEFT)
    assert window.settings.get("starred_models") == ["loras/ink.safetensors"]
    QTest.mouseClick(page.filters.stars, LEFT)
    assert names(page) == ["ink"]
    page.list.setFocus()
    QTest.keyClick(page.list, Qt.Key.Key_S)
    assert names(page) == []
    assert window.settings.get("starred_models") == []


def test_one_is_put_on_the_canvas_by_its_loader(window, page):
    choose(page, "mine")
    assert page.pane.add.isEnabled()
    QTest.mouseClick(page.pane.add, LEFT)
    assert window.page_switcher.in_front == ""
    window.drop_handler.wait()
    document = window.documents.current
    (id,) = document.graph.nodes
    node = document.graph.nodes[id]
    assert node.type == "core.load_upscaler"
    assert "mine" in str(node.params)
    assert window.page.scene.store.selected_nodes() == [id]
    card = window.page.scene.store.node_items[id].rect
    assert window.page.view.visible_rect().contains(card)
    document.undo()
    assert not document.graph.nodes


def test_the_selected_node_takes_the_file(window, page):
    window.toggle_panel("models")
    show_graph(window, text_to_picture())
    document = window.documents.current
    lora = Node("lora", "core.apply_lora", 1, {"file": "gone.safetensors"})
    document.do(AddNode(lora, {"pos": [0, 400]}), "Add")
    window.page.scene.store.select(["lora"])
    window.toggle_panel("models")
    until(lambda: "ink" in names(page), 5)
    choose(page, "mine")
    assert page.pane.use.isHidden()
    choose(page, "ink")
    assert page.pane.use.text() == "Use in Apply LoRA"
    QTest.mouseClick(page.pane.use, LEFT)
    assert window.page_switcher.in_front == ""
    assert document.graph.nodes["lora"].params["file"] == "ink.safetensors"
    document.undo()
    assert document.graph.nodes["lora"].params["file"] == "gone.safetensors"


def test_a_card_is_dropped_where_it_is_dragged_to(window, page, monkeypatch):
    place = QPoint(300, 200)

    def drag_over(drag, *_):
        """As if the mouse let go over the canvas, which is in front by then."""
        assert window.page_switcher.in_front == ""
        view = window.page.view
        rest = (Qt.DropAction.CopyAction, drag.mimeData(), LEFT, NONE)
        for event in (QDragEnterEvent(place, *rest), QDropEvent(QPointF(place), *rest)):
            QApplication.sendEvent(view.viewport(), event)
            assert event.isAccepted()
        return Qt.DropAction.CopyAction

    monkeypatch.setattr(QDrag, "exec", drag_over)
    choose(page, "mine")
    page.list.startDrag(Qt.DropAction.CopyAction)
    window.drop_handler.wait()
    document = window.documents.current
    [(id, node)] = document.graph.nodes.items()
    assert node.type == "core.load_upscaler"
    at = window.page.view.to_scene(place)
    assert window.page.scene.store.node_items[id].rect.contains(at)


def test_a_drag_that_is_given_up_leads_back_to_the_page(window, page, monkeypatch):
    monkeypatch.setattr(QDrag, "exec", lambda *_: Qt.DropAction.IgnoreAction)
    choose(page, "mine")
    page.list.startDrag(Qt.DropAction.CopyAction)
    assert window.page_switcher.in_front == "models"
    assert page.list.currentIndex().data(ENTRY).name.startswith("mine")
    assert not window.documents.current.graph.nodes


def test_what_no_node_loads_says_how_it_is_used(page):
    choose(page, "birb")
    assert not page.pane.add.isEnabled()
    assert "A prompt names it: embedding:birb" in texts(page.pane)
    QTest.mouseClick(page.pane.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "embedding:birb"


def test_the_results_of_a_model_are_shown(window, page):
    choose(page, "starter")
    QTest.mouseClick(page.pane.results, LEFT)
    assert window.page_switcher.in_front == "gallery"
    gallery = window.shell.pages.currentWidget()
    assert gallery.overview.search.text() == 'file:"starter"'
    until(lambda: gallery.overview.listing.query.text == 'file:"starter"', 5)


def test_an_embeddings_results_are_those_whose_prompt_names_it(window, page):
    choose(page, "birb")
    QTest.mouseClick(page.pane.results, LEFT)
    assert window.shell.pages.currentWidget().overview.search.text() == "birb"


def test_esc_goes_back_and_folders_opens_the_settings(window, page):
    QTest.mouseClick(page.folders, LEFT)
    assert window.shell.panel == "settings"
    assert window.page_switcher.in_front == "models"
    page.search.setFocus()
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    assert window.page_switcher.in_front == ""
    assert window.page.view.hasFocus()


def test_the_keyboard_alone_is_enough(window, page):
    QTest.keyClicks(page.search, "mine")
    until(lambda: names(page) == ["mine"], 5)
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is page.list
    QTest.keyClick(page.list, Qt.Key.Key_Return)
    window.drop_handler.wait()
    assert window.documents.current.graph.nodes


def test_cards_share_the_width(window, page):
    for width in (1200, 1500):
        window.resize(width, 900)
        QTest.qWait(20)
        cell = page.list.gridSize().width()
        columns = page.list.viewport().width() // cell
        assert columns >= 2
        assert page.list.viewport().width() - columns * cell < columns + 24


def test_in_a_narrow_window_the_list_has_all_the_room(window, page):
    assert page.pane.isVisible()
    window.resize(820, 700)
    until(lambda: not page.pane.isVisible(), 5)
    assert page.search.isVisible()


def test_what_does_not_fit_the_model_in_front_can_be_left_out(window, page):
    show_graph(window, text_to_picture())
    window.toggle_panel("models")
    until(lambda: page.filters.fits.isVisible(), 10)
    assert page.filters.fits.text() == "Fits SD 1.5"
    choose(page, "clay")
    assert "For SDXL; the model is SD 1.5" in texts(page.pane)
    QTest.mouseClick(page.filters.fits, LEFT)
    assert "clay" not in names(page)
    assert "ink" in names(page)


def test_the_studio_starts_with_a_model(home):
    mine = next((home / "data/models/upscale_models").glob("mine*"))
    with open_window([mine]) as window:
        until(lambda: window.documents.current.graph.nodes, 5)
        (node,) = window.documents.current.graph.nodes.values()
        assert node.params["file"] == mine.name
    with open_window([home / "data/models/loras/ink.safetensors"]) as window:
        until(lambda: len(window.documents.current.graph.nodes) == 2, 5)
        assert len(window.documents) == 1  # it came to what was open last


def test_files_by_name_open_or_get_their_loaders(window, page, home, tmp_path):
    """As from the command line, or from a second start."""
    notices = []
    window.drop_handler.notice.connect(notices.append)
    graph = tmp_path / "mine.json"
    graph_file.write(text_to_picture(), graph)
    document = window.documents.current
    models = home / "data/models"
    mine = next((models / "upscale_models").glob("mine*"))
    window.canvas_requests.open_files([mine, models / "loras/broken.safetensors"])
    window.drop_handler.wait()
    assert [node.type for node in document.graph.nodes.values()] == ["core.load_upscaler"]
    assert [notice.title for notice in notices] == ["broken.safetensors cannot be used here"]
    window.canvas_requests.open_files([graph])
    window.documents.wait()
    assert window.documents.current.path == graph
