"""What a card says at its foot."""

from __future__ import annotations

import pytest

from ponystudio.canvas.scene import card_status
from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.graph.editing.edits import SetMode
from ponystudio.graph.model import Node
from ponystudio.studio.documents.editable_graph import NodeState, Problem


@pytest.mark.parametrize(
    ("state", "icon", "text", "right"),
    [
        (NodeState(), "clock", "Not run yet", ""),
        (NodeState("waiting"), "clock", "Waiting", ""),
        (NodeState("running", step=13, steps=20, left=2.4), "play", "Step 13 of 20", "2.4 s left"),
        (NodeState("running"), "play", "Running", ""),
        (NodeState("done", tier="device", seconds=6.3), "chip", "On device", "6.3 s"),
        (NodeState(tier="disk", seconds=100), "disk", "On disk", "1 min 40 s"),
        (NodeState("done", reason="Seed changed"), "again", "Seed changed", ""),
        (
            NodeState("failed", seconds=1, problem=Problem("No such file.")),
            "alert",
            "No such file",
            "",
        ),
        (NodeState("not_run", reason="Not run: A failed"), "clock", "Not run: A failed", ""),
        (NodeState(faults=(Problem("Connect vae."),)), "alert", "Connect vae", ""),
    ],
)
def test_status(scene: GraphScene, state: NodeState, icon: str, text: str, right: str) -> None:
    item = scene.store.node_items["sample"]
    found = card_status.status(item.node, item.spec, state)
    assert (found.icon, found.text, found.right) == (icon, text, right)


def test_status_of_modes_and_unknown_nodes(scene: GraphScene) -> None:
    document = scene.document
    document.do(SetMode("sample", "bypassed"), "Bypass")
    item = scene.store.node_items["sample"]
    assert card_status.status(item.node, item.spec, NodeState()).text == "Passes latent"
    assert card_status.status(item.node, None, NodeState()).text == "Pack is missing"
    theirs = Node("a", "comfyui.FaceDetailer")
    assert card_status.status(theirs, None, NodeState()).text == "Of ComfyUI, not known here"
    packed = Node(
        "a", "comfyui.X", extra={"comfyui": {"aux_id": "me/impact", "ver": "0123456789abcd"}}
    )
    assert "me/impact 0123456789ab" in card_status.status(packed, None, NodeState()).text
