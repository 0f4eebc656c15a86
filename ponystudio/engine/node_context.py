"""What a running node is handed: the engine's side of `ponystudio.api.Context`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ponystudio.api import Control, Image, Latent, Mask, Recipe
from ponystudio.api.context import LazyTensor
from ponystudio.diffusion.control import notes
from ponystudio.diffusion.control.control_network import ActiveControl
from ponystudio.diffusion.images.latent_file import latent_bytes
from ponystudio.diffusion.images.picture_file import to_picture
from ponystudio.diffusion.weights.embedding_tensors import Bundled, bundled
from ponystudio.engine.file_saver import save_numbered, write_safetensors
from ponystudio.engine.memory.weights_pool import weights_of
from ponystudio.engine.protocol.run_events import Memory, Note, Output, Progress
from ponystudio.engine.run_services import RunServices
from ponystudio.errors import Cancelled, NotANumber
from ponystudio.graph.atomic_write import write_bytes
from ponystudio.graph.formats.embedded_metadata import GRAPH
from ponystudio.graph.formats.metadata_policy import EVERYTHING, MetadataPolicy
from ponystudio.graph.formats.picture_writer import SUFFIXES, Sign, embed
from ponystudio.graph.output_names import filled
from ponystudio.library import user_folders
from ponystudio.library.recognition.recognise import recognise
from ponystudio.pictures import content_credentials

# Previews a second; more of them no eye sees.
PREVIEWS = 30
# Pixels of a picture that a latent has one value for, a side.
CELL = 8


class RunModels:
    """The pool, as one node sees it. `opened`: content id and part of what it asked for.

    `recipes`: what that was.
    """

    def __init__(
        self, node: str, services: RunServices, device: torch.device, check: Callable[[], None]
    ) -> None:
        self._node, self._services, self._device, self._check = node, services, device, check
        self.opened: set[tuple[str, str]] = set()
        self.recipes: list[Recipe] = []

    def open(self, recipe: Recipe, *, precise: bool = False) -> AbstractContextManager[Any]:
        return self._open(recipe, precise)

    @contextmanager
    def _open(self, recipe: Recipe, precise: bool) -> Iterator[Any]:
        self.opened.add((recipe.content, recipe.part))
        self.recipes.append(recipe)
        with self._services.pool.open(
            recipe, check=self._check, device=self._device, precise=precise, note=self._note
        ) as network:
            if recipe.part == "clip":
                network.embeddings = self._services.files.embeddings() | _bundled_embeddings(recipe)
            if network.stream is not None:
                self._services.emit(Note(self._node, _streaming_note(network.stream, recipe.part)))
            with ExitStack() as held:
                if recipe.part == "model":
                    network.steering = partial(self._steering, held, network, recipe, precise)
                yield network

    def _steering(
        self,
        held: ExitStack,
        denoiser: Any,
        model: Recipe,
        precise: bool,
        control: Control,
        shape: Sequence[int],
    ) -> ActiveControl:
        """A ControlNet at work, open as long as `held` is."""
        for text in notes(recognise(Path(model.path)), recognise(Path(control.net.path))):
            self._services.emit(Note(self._node, text))
        network = held.enter_context(self.open(control.net, precise=precise))
        network.check_fit(denoiser.module)
        options: dict[str, Any] = {"strength": control.strength, "kind": control.kind}
        with ExitStack() as briefly:
            if network.signature.encoded and control.vae:
                options["encode"] = briefly.enter_context(self.open(control.vae)).encode
            return ActiveControl(network, control.picture, shape, mask=control.mask, **options)

    def weights(self, recipe: Recipe) -> AbstractContextManager[Any]:
        self.recipes.append(recipe)
        return weights_of(recipe)

    def sha256(self, path: Path) -> str:
        self._services.files.wait(self._services.cancel)
        return self._services.files.known(path).sha256

    def content(self, path: Path) -> str:
        return self._services.files.held(path, self._check).token

    def blamed(self, error: NotANumber) -> NotANumber:
        """The error, with the file and the weight that it comes from, if it comes from one."""
        for recipe in dict.fromkeys(self.recipes):
            if found := self._services.pool.bad_weight(recipe, self._check):
                what, place = f"{error.what} {found.what}", {"where": error.where}
                place |= {"node": error.node, "socket": error.socket}
                return NotANumber(what, remedy=found.remedy, **place)
        return error

    def _note(self, lora: str, text: str) -> None:
        """To the nodes that chose the LoRA, though it is this one for which it is applied."""
        for node in self._services.naming_lora(Path(lora)) or [self._node]:
            self._services.emit(Note(node, text))


def _streaming_note(stream: Any, part: str) -> str:
    nouns = {"model": "the model", "clip": "the text encoder", "controlnet": "the ControlNet"}
    count, whose = len(stream.blocks), nouns[part]
    blocks = "One block" if count == 1 else f"{count} blocks"
    verb = "comes" if count == 1 else "come"
    return f"{blocks} of {whose} {verb} from the file when needed: it is too large to stay whole."


def _bundled_embeddings(recipe: Recipe) -> dict[str, Bundled]:
    """The textual inversions in the LoRAs that a text encoder has."""
    found: dict[str, Bundled] = {}
    for lora in recipe.loras:
        found |= bundled(Path(lora.path))
    return found


class RunContext:
    """One node's context. `written` collects the files that it leaves behind."""

    def __init__(
        self,
        node: str,
        services: RunServices,
        device: torch.device,
        dtype: torch.dtype,
        *,
        frugal: bool = False,
    ) -> None:
        self.node, self.device, self.dtype, self.frugal = node, device, dtype, frugal
        self.models = RunModels(node, services, device, self.check_cancelled)
        self.written: list[Path] = []
        self._services = services
        self._last_preview = 0.0

    def check_cancelled(self) -> None:
        if self._services.cancel.is_set():
            raise Cancelled("Cancelled.")

    def progress(self, step: int, steps: int) -> None:
        self.check_cancelled()
        # What a pack gives is anything: it must not end the process that reads the event.
        self._services.emit(Progress(self.node, int(step), int(steps)))

    def preview(self, image: Callable[[], Image]) -> None:
        now = time.monotonic()
        if now - self._last_preview >= 1 / PREVIEWS:
            self._last_preview = now
            self._services.observer.on_preview(self.node, image)

    def short_of_memory(self, action: str) -> None:
        self._services.emit(Memory(str(action), self.node))

    def note(self, text: str) -> None:
        self._services.emit(Note(self.node, str(text)))

    def save_picture(
        self,
        image: Image,
        *,
        prefix: str,
        format: str,
        quality: int = 95,
        alpha: Mask | None = None,
        metadata: str = EVERYTHING,
    ) -> list[Path]:
        policy = self._services.request.metadata.at_most(metadata)
        writer = partial(embed, format=format, quality=quality, sign=self._signer(policy))
        return self._write_pictures(
            self._services.request.output, image, prefix, SUFFIXES[format], alpha, policy, writer
        )

    def show_picture(self, image: Image, *, alpha: Mask | None = None) -> list[Path]:
        policy = self._services.request.metadata
        writer = partial(embed, format="png")
        return self._write_pictures(
            self._services.request.previews, image, self.node, ".png", alpha, policy, writer
        )

    def save_weights(
        self, tensors: Mapping[str, LazyTensor], metadata: Mapping[str, str], *, prefix: str
    ) -> Path:
        self.check_cancelled()
        fields = {**metadata, **self._graph_field()}

        def write(path: Path) -> None:
            write_safetensors(path, tensors, fields, self.progress)

        name = self._name(prefix, (0, 0), (0, 1))
        return self._saved(self._services.request.output, name, ".safetensors", write)

    def save_latent(self, latent: Latent, *, prefix: str) -> list[Path]:
        self.check_cancelled()
        data = latent_bytes(latent.values, latent.family, self._graph_field())
        write = partial(write_bytes, data=data)
        height, width = (CELL * side for side in latent.values.shape[-2:])
        name = self._name(prefix, (width, height), (0, len(latent.values)))
        return [self._saved(self._services.request.output, name, ".latent", write)]

    def _signer(self, policy: MetadataPolicy) -> Sign | None:
        """What signs pictures, if they are to be signed and can be."""
        if not (policy.signed and policy.disclosed):
            return None
        if not content_credentials.available():
            self.note(content_credentials.not_available().what)
            return None
        return partial(
            content_credentials.signed, who=content_credentials.identity(user_folders.data())
        )

    def _graph_field(self) -> dict[str, str]:
        text = self._services.receipts.graph_text()
        return {GRAPH: text} if text else {}

    def _write_pictures(
        self,
        folder: Path,
        image: Image,
        prefix: str,
        suffix: str,
        alpha: Mask | None,
        policy: MetadataPolicy,
        writer: Callable[..., None],
    ) -> list[Path]:
        count = len(image.pixels)
        paths = []
        for index, pixels in enumerate(image.pixels):
            self.check_cancelled()
            opaque = None if alpha is None else alpha.values[min(index, len(alpha.values) - 1)]
            picture = to_picture(pixels, opaque)
            batch = (index, count)
            said = self._services.receipts.metadata(self.node, picture.size, batch, policy)

            def write(path: Path, picture: Any = picture, said: Any = said) -> None:
                writer(picture, path, fields=said.fields, source_type=said.source_type)

            name = self._name(prefix, picture.size, batch)
            paths.append(self._saved(folder, name, suffix, write))
        return paths

    def _name(self, prefix: str, size: tuple[int, int], batch: tuple[int, int]) -> str:
        """The prefix with what its tokens stand for here and now."""
        values = self._services.names
        return filled(
            prefix,
            lambda text: values.of_picture(
                text, self.node, size=size, batch=batch, now=datetime.now()
            ),
        )

    def _saved(self, folder: Path, prefix: str, suffix: str, write: Callable[[Path], None]) -> Path:
        path = save_numbered(folder, prefix, suffix, write)
        self.written.append(path)
        self._services.emit(Output(self.node, str(path)))
        return path
