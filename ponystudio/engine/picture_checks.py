"""What is wrong with the pictures of a graph, as far as it can be told before it runs: whether what
is seen in them fits what reads it, and whether what is placed lies inside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ponystudio.api import NodeSpec, Recipe
from ponystudio.diffusion.loading.load import part_shapes
from ponystudio.diffusion.sampling.fitting import check_seen
from ponystudio.diffusion.weights.vision_tensor_names import PROJECTION, ROOT
from ponystudio.errors import MismatchedValues, PonyStudioError
from ponystudio.graph.model import Link, Node
from ponystudio.library.recognition.recognise import recognise

# Pixels a side of a latent's cell.
CELL = 8


class Corner(NamedTuple):
    """Where a node lets a prompt, or a text, begin: from the left and from the top, in pixels;
    shares of a picture are less than one, and inside of any."""

    node: str
    x: float
    y: float


class PictureChecks:
    """Asked of every node in the order in which they run. `recipe` is that of a link, if it is
    known; `known` a param of a node, unless only a run tells it."""

    def __init__(
        self, recipe: Callable[[Link], Recipe | None], known: Callable[[Node, str], Any]
    ) -> None:
        self._recipe, self._known = recipe, known
        # By which image encoders the features were seen that a value has.
        self._seen_by: dict[Link, tuple[Recipe, ...]] = {}
        # Width and height of empty latents in pixels, and where the parts of prompts begin.
        self._sizes: dict[Link, tuple[float, float]] = {}
        self._corners: dict[Link, tuple[Corner, ...]] = {}
        self._told: set[tuple[str, str]] = set()

    def errors(self, node: Node, spec: NodeSpec) -> Iterator[PonyStudioError]:
        try:
            self._look(node, spec)
        except MismatchedValues as error:
            error.node = node.id
            yield error
        yield from self._place(node, spec)

    def _look(self, node: Node, spec: NodeSpec) -> None:
        """Raise MismatchedValues where what reads features of pictures is given others; note whose
        its own outputs have."""
        links = [(s, node.inputs[s.name]) for s in spec.inputs if s.name in node.inputs]
        recipes = {socket.type: self._recipe(link) for socket, link in links}
        seen = [(s, encoder) for s, link in links for encoder in self._seen_by.get(link, ())]
        style, head = recipes.get("style_model"), recipes.get("aesthetic_head")
        model, vision = recipes.get("model"), recipes.get("vision")
        for socket, encoder in seen:
            if socket.type != "vision_output":
                if model and (reads := recognise(Path(model.path)).pictured):
                    check_seen("model", reads, _features(encoder), socket.name)
            elif style:
                reads = _side(style, "redux_up.weight", 1)
                check_seen("style model", reads, _states(encoder), socket.name)
            elif head:
                reads = _side(head, "0.weight", 1)
                check_seen("aesthetic head", reads, _features(encoder), socket.name)
        passed = [encoder for s, encoder in seen if not (style and s.type == "vision_output")]
        for output in spec.outputs:
            if output.type == "vision_output" and vision:
                self._seen_by[Link(node.id, output.name)] = (vision,)
            elif output.type in ("conditioning", "guider"):
                self._seen_by[Link(node.id, output.name)] = tuple(passed)

    def _place(self, node: Node, spec: NodeSpec) -> Iterator[PonyStudioError]:
        """What begins outside of a picture that starts empty, at the node that says where."""
        links = [(s.type, node.inputs[s.name]) for s in spec.inputs if s.name in node.inputs]
        corners = tuple(
            dict.fromkeys(corner for _, link in links for corner in self._corners.get(link, ()))
        )
        for size in (self._sizes[link] for _, link in links if link in self._sizes):
            yield from self._outside(corners, size)
        made, place = self._pair(node, spec, "width", "height"), self._pair(node, spec, "x", "y")
        if place:
            corners = (*corners, Corner(node.id, *place))
        for output in spec.outputs:
            link = Link(node.id, output.name)
            if output.type == "latent" and made and "latent" not in dict(links):
                self._sizes[link] = made
            elif output.type in ("conditioning", "guider"):
                self._corners[link] = corners

    def _outside(
        self, corners: tuple[Corner, ...], size: tuple[float, float]
    ) -> Iterator[PonyStudioError]:
        for corner in corners:
            for socket, begins, side in zip("xy", corner[1:], size, strict=True):
                if begins // CELL >= side // CELL and (corner.node, socket) not in self._told:
                    self._told.add((corner.node, socket))
                    yield MismatchedValues(
                        f"It begins at {begins:g} pixels, and the picture has {side:g}.",
                        node=corner.node,
                        socket=socket,
                        remedy="Move it into the picture, or make the picture larger.",
                    )

    def _pair(
        self, node: Node, spec: NodeSpec, first: str, second: str
    ) -> tuple[float, float] | None:
        """Two numbers of a node; None where it has none, or only a run tells them."""
        a, b = self._param(node, spec, first), self._param(node, spec, second)
        return (a, b) if isinstance(a, int | float) and isinstance(b, int | float) else None

    def _param(self, node: Node, spec: NodeSpec, name: str) -> Any:
        return self._known(node, name) if name in spec.param_by_name else None


def _side(recipe: Recipe, tensor: str, axis: int) -> int:
    """How long a side of a tensor is, of the part that a recipe opens; 0 for none."""
    shape = part_shapes(Path(recipe.path), recipe.part, recipe.options).get(tensor, ())
    return shape[axis] if axis < len(shape) else 0


def _states(encoder: Recipe) -> int:
    """How wide the states of an image encoder are."""
    first = "embeddings.patch_embedding.weight"
    return _side(encoder, first, 0) or _side(encoder, f"{ROOT}{first}", 0)


def _features(encoder: Recipe) -> int:
    """How many an image encoder gives of a picture as a whole."""
    return _side(encoder, PROJECTION, 0) or _states(encoder)
