"""Where cards and wires of a canvas are."""

from PySide6.QtCore import QPointF


def place(canvas, node):
    return tuple(canvas.graph.view["nodes"][node]["pos"])


def rect(canvas, node):
    return canvas.scene.store.node_items[node].rect


def crossing(canvas, key, share=0.5):
    points = canvas.scene.store.wire_items[key].points
    return QPointF(*points[int(len(points) * share)])
