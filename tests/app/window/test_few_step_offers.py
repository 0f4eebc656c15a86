"""What a card that samples offers for a model of few steps."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from helpers import checkpoints
from helpers.running import until
from helpers.studio import text_to_picture
from helpers.window import open_window, show_graph
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.graph.editing.edits import AddNode, Compound, Connect, SetParam
from ponystudio.graph.model import Node
from ponystudio.widgets.primitives import PaintedButton

FILE = "sdxl_lightning_4step.safetensors"
WANTED = {"steps": 4, "cfg": 1.0, "sampler": "euler", "scheduler": "sgm_uniform"}


@pytest.fixture
def few(home, tmp_path):
    """A window with a graph whose model was distilled to four steps."""
    folder = tmp_path / "models" / "checkpoints"
    folder.mkdir(parents=True)
    checkpoints.micro(folder / FILE)
    (folder.parent / "loras").mkdir()
    checkpoints.micro_lora(folder.parent / "loras" / "lcm-lora-sdv1-5.safetensors")
    with open_window(model_folders=[str(folder.parent)]) as window:
        graph = SetParam("checkpoint", "file", FILE).apply(text_to_picture())[0]
        show_graph(window, graph, "Few steps")
        yield window


def press(window, name):
    """A button of what hangs below the sampler's card."""
    view = window.page.view
    item = window.page.scene.store.node_items["sampler"]
    button = next(button for button in item.message.buttons if button.name == name)
    view.jump(Camera(item.message.rect.center(), 1.0))
    at = view.from_scene(item.message.rect.topLeft() + button.rect.center()).toPoint()
    assert view.viewport().rect().contains(at)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_the_values_of_its_model_are_set_by_one_press_and_one_undo(few):
    document = few.documents.current
    states, before = document.states, document.graph
    until(lambda: states["sampler"].offer)
    offer = states["sampler"].offer
    assert dict(offer.params) == WANTED
    assert "4 steps, euler, sgm_uniform, guidance 1" in offer.text
    press(few, "accept")
    params = document.graph.nodes["sampler"].params
    assert {name: params[name] for name in WANTED} == WANTED
    assert states["sampler"].offer is None
    assert document.undo_text == "Sample for Lightning"
    document.undo()
    assert document.graph == before
    until(lambda: states["sampler"].offer == offer)


def test_the_inspector_offers_it_too(few):
    document = few.documents.current
    until(lambda: document.states["sampler"].offer)
    few.page.scene.store.select(["sampler"])
    few.inspector.show_node("sampler")
    (button,) = (
        button
        for button in few.inspector.findChildren(PaintedButton)
        if button.text() == "Sample for Lightning"
    )
    QTest.keyClick(button, Qt.Key.Key_Space)
    params = document.graph.nodes["sampler"].params
    assert {name: params[name] for name in WANTED} == WANTED


def test_what_is_not_wanted_is_offered_no_more(few):
    document = few.documents.current
    until(lambda: document.states["sampler"].offer)
    press(few, "dismiss")
    assert document.states["sampler"].offer is None
    document.do(SetParam("sampler", "steps", 9), "Change steps")
    few.page.offers.refresh()
    assert document.states["sampler"].offer is None


def test_the_lora_that_was_put_on_last_says_how(few):
    document = few.documents.current
    lora = Node("lora", "core.apply_lora", params={"file": "lcm-lora-sdv1-5.safetensors"})
    document.do(
        Compound(
            (
                AddNode(lora),
                Connect("checkpoint", "model", "lora", "model"),
                Connect("checkpoint", "clip", "lora", "clip"),
                Connect("lora", "model", "sampler", "model"),
            )
        ),
        "Add LoRA",
    )

    def offered():
        offer = document.states["sampler"].offer
        return dict(offer.params) if offer else {}

    until(lambda: offered().get("sampler") == "lcm")
