"""Results in memory, over the disk: device → host memory → disk → gone, each bounded in bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch

from ponystudio.api import Recipe
from ponystudio.engine.cache.disk_cache import EVICT_TO, DiskCache
from ponystudio.engine.cache.tensor_walk import on_device, size_in_bytes, storages, to_device
from ponystudio.engine.protocol.run_events import Tier

# A result that is made in less time is not worth a file.
WRITE_FROM = 0.5
# What an entry costs besides its tensors, so that millions of tiny ones are bounded too.
OVERHEAD = 1024


P = ParamSpec("P")
T = TypeVar("T")


def _locked(
    method: Callable[Concatenate[ResultCache, P], T],
) -> Callable[Concatenate[ResultCache, P], T]:
    """One thread at a time: plans are made while a run goes on."""

    @wraps(method)
    def locked(self: ResultCache, *args: P.args, **more: P.kwargs) -> T:
        with self._lock:
            return method(self, *args, **more)

    return locked  # type: ignore[return-value]


@dataclass
class _CachedResult:
    value: Any
    size: int
    seconds: float
    device: bool
    priority: float
    files: tuple[tuple[str, str], ...]
    pins: int = 0


class ResultCache:
    """The cache. The executor's thread uses it; others may ask where results are.

    The entry that is cheapest to make again per byte leaves first, with an allowance for age, as
    on the disk. Pinned entries, those that the run still needs, stay in memory whatever happens.
    """

    def __init__(
        self,
        *,
        device_bytes: int,
        memory_bytes: int,
        disk: DiskCache | None,
        still_has: Callable[[Path, str], bool],
    ) -> None:
        """`still_has` says whether a file is what a recipe says of it."""
        self._lock = threading.RLock()
        self._limits = {True: device_bytes, False: memory_bytes}
        self._used = {True: 0, False: 0}
        self._entries: dict[str, _CachedResult] = {}
        self._disk, self._still_has = disk, still_has
        self._clock = 0.0

    @property
    def used(self) -> tuple[int, int]:
        """Bytes on the device and in the main memory; may be asked from any thread."""
        return self._used[True], self._used[False]

    @_locked
    def known_tier(self, key: str) -> Tier | None:
        """Where the result is, as far as this process knows."""
        if entry := self._valid_entry(key):
            return "device" if entry.device else "memory"
        return "disk" if self._disk is not None and self._disk.known(key) else None

    @_locked
    def tier(self, key: str) -> Tier | None:
        """Where the result is, looked for on the disk too."""
        if entry := self._valid_entry(key):
            return "device" if entry.device else "memory"
        return "disk" if self._disk is not None and self._disk.has(key) else None

    @_locked
    def get(self, key: str) -> Any:
        """The result. Raises KeyError if it is gone, or damaged on the disk."""
        if entry := self._valid_entry(key):
            entry.priority = self._clock + _worth(entry)
            return entry.value
        if self._disk is None:
            raise KeyError(key)
        value = self._disk.read(key)
        self._insert(key, value, WRITE_FROM, pins=0)
        return value

    @_locked
    def put(self, key: str, value: Any, seconds: float, *, on_disk: bool = True) -> None:
        """Keep a result that took `seconds` to make; on the disk too if that was long.

        Recipes stay in memory: they say where files lie today.
        """
        pins = self._entries[key].pins if key in self._entries else 0
        entry = self._insert(key, value, seconds, pins)
        if on_disk:
            self._write(key, entry)

    @_locked
    def settle(self, keys: Mapping[str, str]) -> None:
        """What was only in memory under these keys is kept, under the keys that they lead to."""
        for old, key in keys.items():
            entry = self._entries.get(old)
            if entry is None or (old != key and entry.pins):
                continue
            if old != key:
                self.drop(key)
                self._entries[key] = self._entries.pop(old)
            if self._disk is not None and not self._disk.known(key):
                self._write(key, entry)

    @_locked
    def pin(self, keys: Iterable[str]) -> bool:
        """Hold these in memory, from the disk if need be; False, and none held, if one is gone."""
        held: list[str] = []
        for key in keys:
            if entry := self._valid_entry(key):
                entry.pins += 1
            elif not self._read_pinned(key):
                self.unpin(held)
                return False
            held.append(key)
        return True

    @_locked
    def unpin(self, keys: Iterable[str]) -> None:
        for key in keys:
            if key in self._entries:
                self._entries[key].pins -= 1
        self._shrink()

    @_locked
    def drop(self, key: str) -> None:
        """Forget a result in memory."""
        if entry := self._entries.pop(key, None):
            self._used[entry.device] -= entry.size

    @_locked
    def forget_changed(self, value: Any) -> None:
        """Forget every result that shares memory with a value, on the disk too.

        For a value that was changed where it lies: it may have been written since.
        """
        changed = storages(value).keys()
        for key, entry in list(self._entries.items()):
            if not changed.isdisjoint(storages(entry.value)):
                self.drop(key)
                if self._disk is not None:
                    self._disk.forget(key)

    @_locked
    def drop_unpinned(self, *, device: bool) -> int:
        """Give the memory of what no run needs back; the number of bytes."""
        leaving = [k for k, e in self._entries.items() if e.device is device and not e.pins]
        before = self._used[device]
        for key in leaving:
            self.drop(key)
        return before - self._used[device]

    @_locked
    def clear(self) -> None:
        """Forget everything, on the disk too, but what is pinned stays in memory."""
        for key in [key for key, entry in self._entries.items() if not entry.pins]:
            self.drop(key)
        if self._disk is not None:
            self._disk.clear()

    def _write(self, key: str, entry: _CachedResult) -> None:
        if self._disk is not None and entry.seconds >= WRITE_FROM and not entry.files:
            self._disk.write(key, entry.value, entry.seconds)

    def _valid_entry(self, key: str) -> _CachedResult | None:
        """The entry; that of a recipe lives only as long as its files hold what it says."""
        entry = self._entries.get(key)
        if (
            entry is None
            or entry.pins
            or all(self._still_has(Path(path), content) for path, content in entry.files)
        ):
            return entry
        self.drop(key)
        return None

    def _read_pinned(self, key: str) -> bool:
        if self._disk is None:
            return False
        try:
            value = self._disk.read(key)
        except KeyError:
            return False
        self._insert(key, value, WRITE_FROM, pins=1)
        return True

    def _insert(self, key: str, value: Any, seconds: float, pins: int) -> _CachedResult:
        self.drop(key)
        entry = _CachedResult(value, 0, seconds, False, 0.0, tuple(_files(value)), pins)
        self._add(key, entry)
        self._shrink()
        return entry

    def _add(self, key: str, entry: _CachedResult) -> None:
        entry.size = size_in_bytes(entry.value) + OVERHEAD
        entry.device = on_device(entry.value)
        entry.priority = self._clock + _worth(entry)
        self._entries[key] = entry
        self._used[entry.device] += entry.size

    def _shrink(self) -> None:
        """From the device to the memory, from the memory out: the disk has what is worth it."""
        for key, entry in self._leaving(device=True):
            self.drop(key)
            entry.value = to_device(entry.value, torch.device("cpu"))
            self._add(key, entry)
        for key, _ in self._leaving(device=False):
            self.drop(key)

    def _leaving(self, *, device: bool) -> Iterator[tuple[str, _CachedResult]]:
        if self._used[device] <= self._limits[device]:
            return
        free = [(k, e) for k, e in self._entries.items() if e.device is device and not e.pins]
        for key, entry in sorted(free, key=lambda item: item[1].priority):
            if self._used[device] <= self._limits[device] * EVICT_TO:
                return
            self._clock = max(self._clock, entry.priority)
            yield key, entry


def _worth(entry: _CachedResult) -> float:
    return entry.seconds / entry.size


def _files(value: Any) -> Iterator[tuple[str, str]]:
    """The files that a recipe names, with what it knows their content by."""
    if isinstance(value, Recipe):
        yield from value.files
