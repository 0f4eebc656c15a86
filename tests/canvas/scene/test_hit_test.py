"""What is under a point."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from ponystudio.canvas.scene import hit_test
from ponystudio.canvas.scene.items import SocketRef
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.graph.editing.edits import (
    SetView,
)


def test_sockets_are_found_within_28_by_24(scene: GraphScene) -> None:
    at = scene.store.output_pos("source", "latent")
    ref = SocketRef("source", "latent", True, "latent")
    assert hit_test.socket_at(scene.store, at) == ref
    assert hit_test.socket_at(scene.store, at + QPointF(13, 11)) == ref
    assert hit_test.socket_at(scene.store, at + QPointF(15, 0)) is None


def test_a_card_hides_the_sockets_below_it(scene: GraphScene) -> None:
    scene.document.do(SetView(("nodes", "sample", "pos"), [200, 0]), "Move")
    scene.store.raise_nodes(["sample"])
    assert hit_test.node_at(scene.store, scene.store.output_pos("source", "model")) == "sample"
    assert hit_test.socket_at(scene.store, scene.store.output_pos("source", "latent")) is None


def test_from_afar_there_are_no_sockets_but_cards_are_handles(scene: GraphScene) -> None:
    scene.store.set_detail("far")
    assert hit_test.socket_at(scene.store, scene.store.output_pos("source", "latent")) is None


def test_parts_of_a_card(scene: GraphScene) -> None:
    item = scene.store.node_items["sample"]
    middle = item.rect.left() + 60
    assert hit_test.hit(scene.store, QPointF(middle, item.rect.top() + 10)).part == "header"
    param = hit_test.param_at(
        scene.store, item.layout.params[0].rect.translated(item.rect.topLeft()).center()
    )
    assert param is not None
    assert (param.node, param.spec.name) == ("sample", "steps")
    assert hit_test.hit(scene.store, QPointF(middle, item.rect.bottom() - 5)).part == "status"
    assert hit_test.hit(scene.store, QPointF(-500, -500)).part == "empty"


def test_wires_and_dots_are_found(scene: GraphScene) -> None:
    wire = scene.store.wire_items[("second", "latent")]
    middle = wire.path.pointAtPercent(0.5)
    assert hit_test.wire_at(scene.store, middle) == ("second", "latent")
    assert hit_test.wire_at(scene.store, middle + QPointF(0, 60)) is None
    scene.document.do(SetView(("nodes", "second", "dots"), {"latent": [[600, 300]]}), "Dot")
    assert hit_test.dot_at(scene.store, QPointF(603, 303)) == (("second", "latent"), 0)
    assert hit_test.hit(scene.store, QPointF(600, 300)).part == "dot"
