"""The weights that are in memory: each part of each file once, in whatever state is asked for;
how much memory a network will take is told by its files before it is loaded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from ponystudio.api import Merge, Model, Patch, Recipe
from ponystudio.diffusion.families import families
from ponystudio.diffusion.loading import bad_weights, lora_patching
from ponystudio.diffusion.loading.bad_weights import BadWeight
from ponystudio.diffusion.loading.cancel_hooks import cancel_hooks
from ponystudio.diffusion.loading.load import load
from ponystudio.diffusion.loading.lora_patching import OpenPatch
from ponystudio.diffusion.loading.part_weights import OpenMerge, PartWeights
from ponystudio.diffusion.lora import lora_file
from ponystudio.engine.memory.allocation_limit import AllocationLimit
from ponystudio.engine.memory.devices import (
    RESERVE,
    DeviceChoice,
    free_device_memory,
    release_cached,
    taken_memory,
)
from ponystudio.engine.protocol.run_events import Event, WeightsEvent
from ponystudio.errors import ModelFileError, PonyStudioError, listed
from ponystudio.library.formats.content_id import Identities, model_files
from ponystudio.library.recognition.recognise import recognise
from ponystudio.system import main_memory


def predicted_size(recipe: Recipe, dtype: torch.dtype) -> int:
    """Bytes that the part will take at most, of all files that it is in."""
    others = [str(value) for name, value in recipe.options if name == "with"]
    # Of the model whose weights a ControlNet changes it has less than all.
    bases = [str(value) for name, value in recipe.options if name == "base"]
    own = sum(_size_in(Path(path), recipe.part, dtype) for path in (recipe.path, *others))
    return own + sum(_size_in(Path(path), "model", dtype) for path in bases)


def _size_in(path: Path, part: str, dtype: torch.dtype) -> int:
    try:
        found = recognise(path).parts.get(part)
    except ModelFileError:
        found = None
    if found is not None:
        return int(found.parameters * dtype.itemsize)
    return path.stat().st_size if path.is_file() else 0


Check = Callable[[], None]
# What patches ask for, equal for equal weights.
State = tuple[Hashable, ...]

# Parts that may come block by block.
STREAMED = ("model", "clip", "controlnet")
# What computing with a network takes beside its weights, of those that do not fit as they are.
WORK = 3 << 29
# A text encoder is read through once a prompt: in main memory a larger one than this share of what
# is free would only drive others out.
BRIEF_SHARE = 0.25
# Halved so often, a room is none.
MOST_HALVED = 3


class Loader(Protocol):
    """`diffusion.loading.load`."""

    def __call__(
        self,
        path: Path,
        part: str,
        *,
        device: torch.device,
        dtype: torch.dtype,
        options: Any,
        check: Check,
        room: int | None,
    ) -> Any: ...


@dataclass(eq=False)
class _PooledNetwork:
    """A network, where it belongs, and its state. `files`: those that it maps, as they were when it
    was loaded; `patches`: the state that its LoRAs and merges make; `unmatched`: path → layers of
    theirs that found no place."""

    key: tuple[Any, ...]
    network: Any
    path: str
    home: torch.device
    nbytes: int
    files: Mapping[Path, Identities]
    patches: State = ()
    unmatched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    users: int = 0
    last_used: int = 0


class WeightsPool:
    """Networks by content id, part, options, dtype and device. One thread uses it. One whose file
    was changed, where it is mapped, is closed and serves nobody any more.

    An opened network is locked: its patches stay, and it stays where it is. When `budget` bytes or
    the device's memory do not suffice, the least recently used idle ones are offloaded to the main
    memory. Where the device shares that, or there is no room in it either, they are closed. What
    does not fit even then comes from its file block by block, at every step.
    """

    def __init__(
        self,
        choice: DeviceChoice,
        *,
        budget: int,
        emit: Callable[[Event], None],
        allocation_limit: AllocationLimit,
        loader: Loader = load,
    ) -> None:
        self._choice, self._budget, self._load = choice, budget, loader
        self._emit, self._allocation_limit = emit, allocation_limit
        self._entries: list[_PooledNetwork] = []
        self._clock = 0
        # How often the room of a network was halved for lack of memory, by content id and part.
        self._halved: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def open(
        self,
        recipe: Recipe,
        *,
        check: Check,
        device: torch.device | None = None,
        precise: bool = False,
        note: Callable[[str, str], object] = lambda *_: None,
    ) -> Iterator[Any]:
        """The network of a recipe on `device` (the run's own unless given), patched, locked;
        `precise`: in numbers that do not overflow where those of the run do.

        `check` is called between tensors and before every block of the network while it is open;
        what it raises (Cancelled) goes through. `note` is told what of a LoRA, by its path, has no
        effect.
        """
        dtype = self._dtype(recipe, precise)
        entry = self._find_or_load(recipe, check, device or self._choice.device, dtype)
        entry.users += 1
        try:
            self._patch(entry, recipe, check)
            for path, layers in entry.unmatched.items():
                note(path, _without_place(Path(path).name, layers))
            module = entry.network.module
            with (
                cancel_hooks(module, check),
                self._streaming(entry, check),
                entry.network.modified(recipe.modifiers)
                if isinstance(recipe, Model)
                else nullcontext(),
            ):
                yield entry.network
        finally:
            entry.users -= 1
            self._clock += 1
            entry.last_used = self._clock

    @contextmanager
    def _streaming(self, entry: _PooledNetwork, check: Check) -> Iterator[None]:
        """Within it the blocks of a network that is larger than the memory for it come and go."""
        stream = entry.network.stream
        if stream is None or entry.users > 1:
            yield
            return
        stream.begin(check)
        try:
            yield
        finally:
            stream.rest()
            seconds = round(stream.prefetch.wait_seconds, 4)
            file = Path(entry.path).name
            self._emit(WeightsEvent(file, "stream", stream.prefetch.bytes_read, seconds))

    def bad_weight(self, recipe: Recipe, check: Check) -> BadWeight | None:
        """The first weight of a recipe's network that is no number, where that is in memory."""
        for entry in self._entries:
            same = entry.key[:2] == (recipe.content, recipe.part)
            if same and entry.patches == _state(recipe.patches):
                with _files_of(recipe) as patches:
                    if found := bad_weights.find(entry.network, patches, check):
                        return found
        return None

    def used_bytes(self) -> tuple[int, int]:
        """Bytes of weights where they belong, and of those that were taken off the device.

        May be asked from any thread.
        """
        entries = list(self._entries)
        away = sum(entry.nbytes for entry in entries if _is_offloaded(entry))
        return sum(entry.nbytes for entry in entries) - away, away

    def offload_idle(self) -> int:
        """Take every idle network off the device; the number of bytes that this freed there."""
        return self._make_room(None)

    def halve_rooms(self, opened: Collection[tuple[str, str]]) -> bool:
        """Have fewer blocks of these stay in memory, from the next time that they are opened;
        whether there is anything left to gain.

        `opened`: content id and part of each network, whether it came to be or not.
        """
        pairs = {
            pair for pair in opened if pair[1] in STREAMED and self._halved[pair] < MOST_HALVED
        }
        self._halved.update(pairs)
        for entry in self._idle():
            if entry.key[:2] in pairs:
                self._close(entry)
        return bool(pairs)

    def close_idle(self, path: Path | None = None) -> None:
        """Let go of every idle network (of one file), so that its file is mapped no more."""
        if path is None:
            self._halved.clear()
        for entry in self._idle():
            if path is None or Path(entry.path) == path:
                self._close(entry)

    def _find_or_load(
        self, recipe: Recipe, check: Check, device: torch.device, dtype: torch.dtype
    ) -> _PooledNetwork:
        key = (recipe.content, recipe.part, recipe.options, dtype, device)
        wanted = _state(recipe.patches)
        for entry in self._idle():
            if not _is_intact(entry):
                self._close(entry)
        # One that is locked in another state serves nobody else: a second copy has to be made.
        fitting = [
            e
            for e in self._entries
            if e.key == key and (not e.users or (e.patches == wanted and _is_intact(e)))
        ]
        if fitting:
            entry = next((e for e in fitting if e.patches == wanted), fitting[0])
            if entry.network.device.type != entry.home.type:
                self._move_to_device(entry)
            return entry
        needed = predicted_size(recipe, dtype)
        self._make_room(needed, device)
        room = self._room(recipe, needed, device)
        start, files = time.perf_counter(), _mapped(recipe)
        with self._allocation_limit.suspended():
            network = self._load(
                Path(recipe.path),
                recipe.part,
                device=device,
                dtype=dtype,
                options=recipe.options,
                check=check,
                room=room,
            )
        entry = _PooledNetwork(key, network, recipe.path, device, network.nbytes, files)
        self._entries.append(entry)
        self._report(entry, "load", entry.nbytes, start)
        return entry

    def _dtype(self, recipe: Recipe, precise: bool) -> torch.dtype:
        """What the run computes in, or what does not overflow where that does."""
        chosen = self._choice.dtypes.get(recipe.part, self._choice.dtype)
        if chosen != torch.float16:
            return chosen
        family = families().get(recipe.family)
        denoiser = family.wide if family else False
        wide = dict.fromkeys(("model", "controlnet", "gligen"), denoiser)
        wide |= {"clip": family.wide_text} if family else {}
        return self._choice.wide if precise or wide.get(recipe.part) else chosen

    def _room(self, recipe: Recipe, needed: int, device: torch.device) -> int | None:
        """Bytes for the weights of a network that does not fit; None for one that does."""
        halved = self._halved[recipe.content, recipe.part]
        free = self._free(device)
        brief = recipe.part == "clip" and device.type == "cpu" and needed > free * BRIEF_SHARE
        if recipe.part not in STREAMED or (self._fits(needed, device) and not halved and not brief):
            return None
        left = min(self._budget - self._used_on(device), free) - WORK
        return 0 if brief or halved >= MOST_HALVED else max(0, min(needed, left)) >> halved

    def _patch(self, entry: _PooledNetwork, recipe: Recipe, check: Check) -> None:
        wanted = _state(recipe.patches)
        if entry.patches == wanted:
            return
        start = time.perf_counter()
        with _files_of(recipe) as patches:
            # What an error or a cancel from here on leaves behind.
            entry.patches, entry.unmatched = (), {}
            done = lora_patching.apply(entry.network, patches, check=check)
        entry.patches = wanted
        entry.unmatched = done.unmatched
        self._report(entry, "patch" if wanted else "unpatch", done.nbytes, start)

    def _move_to_device(self, entry: _PooledNetwork) -> None:
        self._make_room(entry.nbytes, entry.home)
        start = time.perf_counter()
        entry.network.to(entry.home)
        self._report(entry, "load", entry.nbytes, start)

    def _make_room(self, needed: int | None, device: torch.device | None = None) -> int:
        """Offload idle networks until `needed` bytes fit (None: all of them)."""
        freed = 0
        for entry in self._idle():
            if needed is not None and device is not None and self._fits(needed, device):
                break
            if _is_offloaded(entry):
                continue  # main memory is not what is short
            freed += entry.nbytes
            belongs = entry.home.type == "cpu" or entry.network.stream is not None
            if belongs or not self._fits_main_memory(entry.nbytes):
                self._close(entry)
            else:
                start = time.perf_counter()
                entry.network.to("cpu")
                release_cached(entry.home)
                self._report(entry, "offload", entry.nbytes, start)
        return freed

    def _fits_main_memory(self, nbytes: int) -> bool:
        """Whether there is room for what leaves the device, once the oldest there made some."""
        for entry in [entry for entry in self._idle() if _is_offloaded(entry)]:
            if main_memory.available() >= nbytes + RESERVE:
                break
            self._close(entry)
        return main_memory.available() >= nbytes + RESERVE

    def _fits(self, needed: int, device: torch.device) -> bool:
        used_bytes = self._used_on(device)
        return used_bytes + needed <= self._budget and needed <= self._free(device)

    def _free(self, device: torch.device) -> int:
        free = free_device_memory(device)
        if device != self._choice.device or not self._choice.memory:
            return free
        return min(free, self._choice.memory - taken_memory(device))

    def _used_on(self, device: torch.device) -> int:
        return sum(e.nbytes for e in self._entries if e.network.device.type == device.type)

    def _close(self, entry: _PooledNetwork) -> None:
        start = time.perf_counter()
        self._entries.remove(entry)
        entry.network.close()
        release_cached(entry.home)
        self._report(entry, "close", entry.nbytes, start)

    def _idle(self) -> list[_PooledNetwork]:
        """Those that nobody has open, the least recently used first."""
        return sorted((e for e in self._entries if not e.users), key=lambda entry: entry.last_used)

    def _report(self, entry: _PooledNetwork, action: str, nbytes: int, start: float) -> None:
        seconds = time.perf_counter() - start
        self._emit(WeightsEvent(Path(entry.path).name, action, nbytes, round(seconds, 4)))


@contextmanager
def weights_of(recipe: Recipe) -> Iterator[PartWeights]:
    """Within it the weights of a recipe can be made, one after the other, in no network."""
    with _files_of(recipe) as patches:
        weights = PartWeights(Path(recipe.path), recipe.part, recipe.options, patches)
        try:
            yield weights
        finally:
            weights.close()


@contextmanager
def _files_of(recipe: Recipe) -> Iterator[list[tuple[OpenPatch, float]]]:
    """Within it the LoRAs and merges of a recipe are open, each with its strength."""
    with ExitStack() as files:
        patches: list[tuple[OpenPatch, float]] = []
        for patch in recipe.patches:
            if isinstance(patch, Merge):
                other = files.enter_context(weights_of(patch.other))
                patches.append((OpenMerge(other, patch.how, patch.ratios), 1.0))
            else:
                file = lora_file.read(Path(patch.path), patch.content)
                files.callback(file.close)
                patches.append((file, patch.strength))
        yield patches


def _is_offloaded(entry: _PooledNetwork) -> bool:
    return bool(entry.network.device.type == "cpu" and entry.home.type != "cpu")


def _mapped(recipe: Recipe) -> dict[Path, Identities]:
    """The files that its network is in."""
    return {Path(path): _identities(Path(path)) for path, _ in recipe.own_files}


def _is_intact(entry: _PooledNetwork) -> bool:
    return all(_identities(path) == before for path, before in entry.files.items())


def _identities(path: Path) -> Identities:
    try:
        return model_files(path).identities
    except PonyStudioError:
        return ()


def _state(patches: Iterable[Patch | Merge]) -> State:
    """The state that patches ask for: between merges equal LoRAs are summed, and those that sum to
    nothing left out."""
    state: list[Hashable] = []
    sums: dict[str, float] = {}
    for patch in patches:
        if isinstance(patch, Merge):
            other = patch.other
            mixed = (other.content, other.options, _state(other.patches))
            state += [_sums(sums), (patch.how, patch.ratios, mixed)]
            sums = {}
        else:
            sums[patch.content] = sums.get(patch.content, 0.0) + patch.strength
    return (*state, last) if (last := _sums(sums)) or state else ()


def _sums(strengths: Mapping[str, float]) -> frozenset[tuple[str, float]]:
    return frozenset(pair for pair in strengths.items() if pair[1])


def _without_place(file: str, layers: Sequence[str]) -> str:
    counted = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    return (
        f"Without a place in this model, and so without effect: {counted} of {file}"
        f" ({listed(layers, 3)})"
    )
