"""The canvas with 2,000 nodes and 5,000 wires, driven by real events; figures to read.

A frame is an event, what it brings about, and the viewport grabbed.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from ponystudio.canvas.scene.scene import GraphScene
from ponystudio.canvas.view.camera_view import Camera
from ponystudio.canvas.view.view import GraphView
from ponystudio.graph.catalog import Catalog
from ponystudio.graph.editing.edits import AddNode, SetView
from ponystudio.graph.formats import graph_file as graph_format
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.editable_graph import EditableGraph, gesture
from ponystudio_resources import path

pytestmark = pytest.mark.benchmark

CHAINS, SAMPLERS = 153, 7  # 1,989 nodes, 5,049 wires
ZOOMS = (0.08, 0.4, 1.0)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.from_json(json.loads(path("catalog.json").read_text(encoding="utf-8")))


def big() -> Graph:
    nodes: list[Node] = []
    places: dict[str, object] = {}
    frames = []
    for chain in range(CHAINS):
        left, top = chain % 8 * 11 * 290, chain // 8 * 800

        def add(name, type, column, down, chain=chain, left=left, top=top, **inputs):
            id = f"c{chain}_{name}"
            links = {key: Link(f"c{chain}_{source}", out) for key, (source, out) in inputs.items()}
            nodes.append(Node(id, type, inputs=links))
            places[id] = {"pos": [left + column * 290, top + down]}
            return name

        add("model", "core.load_checkpoint", 0, 0)
        last = (add("empty", "core.empty_latent", 0, 300), "latent")
        for row, name in enumerate(("pos", "neg")):
            add(name, "core.encode_prompt", 1, row * 340, clip=("model", "clip"))
        for k in range(SAMPLERS):
            sampler = add(
                f"s{k}",
                "core.sample",
                2 + k,
                0,
                model=("model", "model"),
                positive=("pos", "conditioning"),
                negative=("neg", "conditioning"),
                latent=last,
            )
            last = (sampler, "latent")
        add("dec", "core.decode_latent", 9, 0, vae=("model", "vae"), latent=last)
        add("save", "core.save_image", 9, 200, image=("dec", "image"))
        frames.append(
            {"pos": [left - 20, top - 50], "size": [3100, 780], "title": f"Chain {chain}"}
        )
    return Graph(nodes={node.id: node for node in nodes}, view={"nodes": places, "frames": frames})


@pytest.fixture(scope="module")
def graph() -> Graph:
    return big()


@pytest.fixture
def view(qtbot, graph: Graph, catalog: Catalog) -> Iterator[GraphView]:
    view = GraphView(GraphScene(EditableGraph(graph, catalog)))
    qtbot.addWidget(view)
    view.resize(1920, 1080)
    view.show()
    qtbot.waitExposed(view)
    return view


def told(name: str, view: GraphView, act: Callable[[int], object], frames: int) -> None:
    """Time so many frames, by the clock and, as machines are shared, by the processor."""
    clock, processor = [], []
    for number in range(frames):
        start, used = time.perf_counter(), time.thread_time()
        act(number)
        QApplication.processEvents()
        view.viewport().grab()
        processor.append((time.thread_time() - used) * 1000)
        clock.append((time.perf_counter() - start) * 1000)
    for what, times in (("clock", clock), ("processor", processor)):
        slow = 100 * sum(t > 50 for t in times) / frames
        last = statistics.quantiles(times, n=100)[98]
        print(
            f"{name}, {what}: median {statistics.median(times):.1f} ms, 99th {last:.1f},"
            f" longest {max(times):.1f}, over 50 ms {slow:.1f} %"
        )


def scroll(view: GraphView, number: int) -> None:
    """Wheel in and out, and between that drag with the middle button."""
    viewport = view.viewport()
    if number % 25 < 10:
        steps = 60 if number // 25 % 2 else -60
        at = QPointF(700 + number % 400, 400)
        event = QWheelEvent(
            at,
            QPointF(viewport.mapToGlobal(at.toPoint())),
            QPoint(),
            QPoint(0, steps),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(viewport, event)
    elif number % 25 == 10:
        QTest.mousePress(viewport, Qt.MouseButton.MiddleButton, pos=QPoint(900, 500))
    elif number % 25 == 24:
        QTest.mouseRelease(viewport, Qt.MouseButton.MiddleButton)
    else:
        side = 1 if number // 50 % 2 else -1
        k = number % 25 - 10
        QTest.mouseMove(viewport, QPoint(900 + side * 23 * k, 500 + 11 * k))


@pytest.mark.parametrize("zoom", ZOOMS)
def test_pan_and_zoom(view: GraphView, zoom: float) -> None:
    view.set_camera(Camera(view.graph_scene.store.bounds().center(), zoom))
    view.viewport().grab()
    told(f"pan and zoom at {zoom:.0%}", view, lambda number: scroll(view, number), 334)


def test_opening(qtbot, graph: Graph, catalog: Catalog) -> None:
    text = graph_format.dumps(graph)
    for _ in range(3):
        start, used = time.perf_counter(), time.thread_time()
        view = GraphView(GraphScene(EditableGraph(graph_format.loads(text), catalog)))
        qtbot.addWidget(view)
        view.resize(1920, 1080)
        view.show()
        view.fit()
        QApplication.processEvents()
        view.viewport().grab()
        clock, processor = time.perf_counter() - start, time.thread_time() - used
        print(f"opening: {clock * 1000:.0f} ms, {processor * 1000:.0f} of the processor")


def test_editing(view: GraphView) -> None:
    document, scene = view.graph_scene.document, view.graph_scene
    view.set_camera(Camera(scene.store.bounds().center(), 1.0))
    view.viewport().grab()
    near = scene.store.nodes_in(view.visible_rect())
    merge = gesture("move")

    def move(number: int) -> None:
        item = scene.store.node_items[near[0]]
        document.do(SetView(("nodes", item.id, "pos"), [item.x + 8, item.y]), "Move", merge)

    def add(number: int) -> None:
        at = view.visible_rect().topLeft()
        node = Node(f"new{number}", "core.sample")
        place = [at.x() + number % 7 * 270, at.y() + number % 3 * 400]
        document.do(AddNode(node, {"pos": place}), "Add")

    told("moving", view, move, 50)
    told("adding", view, add, 50)
    told("undoing", view, lambda number: document.undo(), 50)
    viewport = view.viewport()
    told("hovering", view, lambda n: QTest.mouseMove(viewport, QPoint(200 + 30 * n, 300)), 50)
