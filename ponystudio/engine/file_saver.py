"""What nodes with effects leave behind: numbered files in the output folder, never outside it."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

from ponystudio.api.context import LazyTensor
from ponystudio.errors import PonyStudioError, UnsafePath
from ponystudio.graph.atomic_write import (
    check_room,
    draft_beside,
    make_folder,
    sweep_drafts,
    sync_folder,
    write_error,
    writing,
)
from ponystudio.graph.name_tokens import NUMBER
from ponystudio.graph.output_names import checked_name
from ponystudio.library.formats.safetensors_file import header_bytes, writing_order
from ponystudio.library.formats.tensor_info import ITEM_SIZES

DIGITS = 5
TENSORS_HASH = "modelspec.hash_sha256"


def save_numbered(folder: Path, prefix: str, suffix: str, write: Callable[[Path], None]) -> Path:
    """Have `write` make PREFIX_00001.SUFFIX in `folder`, under the first number after the last;
    NUMBER in the prefix says where the number stands instead.

    The file appears whole, replaces none, whoever else writes there, and survives a power cut.
    Raises UnsafePath, StorageFull, NotWritable.
    """
    checked_name(prefix)
    target = folder.joinpath(*PurePosixPath(prefix.replace("\\", "/")).parts)
    if NUMBER not in target.name:
        target = target.with_name(f"{target.name}_{NUMBER}")
    draft = draft_beside(target.with_name(target.name.replace(NUMBER, "") or "_"), suffix)
    try:
        # Before any folder is made, which could be outside already.
        if not target.parent.resolve().is_relative_to(folder.resolve()):
            raise UnsafePath(
                f"The prefix {prefix!r} leads out of the output folder through a link.",
                remedy="Choose another prefix.",
                socket="prefix",
            )
        make_folder(target.parent)
        _sweep_once(target.parent)
        try:
            write(draft)
            final = _published(draft, target, suffix)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        sync_folder(target.parent)
        return final
    except OSError as error:
        raise write_error(error, target.parent) from None
    except PonyStudioError as error:
        name = target.name.replace(NUMBER, "…") + suffix
        error.where = error.where.replace(draft.name, name)
        raise


def write_safetensors(
    path: Path,
    tensors: Mapping[str, LazyTensor],
    metadata: Mapping[str, str],
    step: Callable[[int, int], object],
) -> None:
    """Write tensors, one after the other as each is made, and into the header the hash of all of
    their bytes, as Stability AI's model metadata have it.

    `step` is told before each how many of how many are done, and may raise Cancelled. Raises
    StorageFull before any is made where there is no room for all.
    """
    order = writing_order({name: tensor.dtype for name, tensor in tensors.items()})
    entries = {name: (tensors[name].dtype, tensors[name].shape) for name in order}
    whole = hashlib.sha256()

    def header() -> bytes:  # of the same length whatever the hash is
        return header_bytes(entries, {**metadata, TENSORS_HASH: f"0x{whole.hexdigest()}"})

    sizes = (math.prod(shape) * ITEM_SIZES[dtype] for dtype, shape in entries.values())
    check_room(path, len(header()) + sum(sizes))
    with writing(path) as file:
        file.write(header())
        for n, name in enumerate(order):
            step(n, len(order))
            bits = tensors[name].bits()
            whole.update(bits)
            file.write(bits)
        step(len(order), len(order))
        file.seek(0)
        file.write(header())


@cache
def _sweep_once(folder: Path) -> None:
    """What earlier processes left is gone after one look."""
    sweep_drafts(folder)


def _published(draft: Path, target: Path, suffix: str) -> Path:
    """Give the draft its number. A link fails where a file stands, so nothing is replaced."""
    number = _last_number(target, suffix)
    while True:
        number += 1
        final = target.with_name(target.name.replace(NUMBER, f"{number:0{DIGITS}}") + suffix)
        try:
            os.link(draft, final)
        except FileExistsError:
            continue
        except (OSError, NotImplementedError):  # no links here (exFAT, some network folders)
            if final.exists():
                continue
            draft.rename(final)
        return final


def _last_number(target: Path, suffix: str) -> int:
    first, *others = map(re.escape, target.name.split(NUMBER))
    rest = r"\1".join(others)
    pattern = re.compile(rf"{first}(\d+){rest}{re.escape(suffix)}", re.IGNORECASE)
    matches = (pattern.fullmatch(path.name) for path in target.parent.iterdir())
    return max((int(match[1]) for match in matches if match), default=0)
