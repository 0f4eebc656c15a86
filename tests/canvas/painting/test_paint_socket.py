"""How sockets look."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF

from helpers.shots import color_at
from ponystudio.canvas.scene.items import SocketRef, WireDrag
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.editing.edits import ReplaceNode
from ponystudio.widgets import theme


def test_a_dragged_wire_lights_what_fits_and_dims_the_rest(view: GraphView) -> None:
    scene = view.graph_scene
    at = scene.store.input_pos("second", "latent")
    before = color_at(view, at.x(), at.y() - 10)
    scene.set_drag(
        WireDrag(
            (SocketRef("source", "latent", True, "latent"),),
            QPointF(500, 500),
            lambda ref: not ref.is_output and ref.type == "latent",
        )
    )
    assert color_at(view, at.x(), at.y() - 10) != before
    wire = theme.current().socket("latent").color
    assert color_at(view, 500, 500) == wire
    scene.set_drag(None)
    assert color_at(view, at.x(), at.y() - 10) == before


def test_sockets_of_an_unknown_node_look_like_what_is_wired_to_them(view: GraphView) -> None:
    document = view.graph_scene.document
    document.do(ReplaceNode(replace(document.graph.nodes["sample"], type="gone.sample")), "Lose")
    wanted = theme.current().socket("latent").color
    for at in (
        view.graph_scene.store.input_pos("sample", "latent"),
        view.graph_scene.store.output_pos("sample", "latent"),
    ):
        assert color_at(view, at.x(), at.y()) == wanted
