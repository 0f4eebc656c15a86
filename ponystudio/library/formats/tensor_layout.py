"""Whether the tensors of a file lie where they should: one behind the other, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from ponystudio.errors import DamagedFile
from ponystudio.library.formats.tensor_info import TensorInfo

REMEDY = "Download it again."


def check_places(
    tensors: Iterable[TensorInfo], body: int, size: int, where: str, alignment: int = 1
) -> None:
    """Raise DamagedFile for tensors, in the order of their places, that overlap or leave gaps.

    They begin behind `body`, each at a multiple of `alignment`; the file is `size` bytes long.
    """
    end = body
    for tensor in tensors:
        start = aligned(end, alignment)
        if tensor.start != start:
            fault = "overlaps another tensor" if tensor.start < start else "follows a gap"
            raise DamagedFile(f"{tensor.name!r} {fault}.", where=where, remedy=REMEDY)
        end = start + tensor.nbytes
    if end > size:
        raise DamagedFile(
            f"The file is {size:,} bytes long and should be {end:,}: it was cut short.",
            where=where,
            remedy=REMEDY,
        )
    if (rest := size - aligned(end, alignment)) > 0:
        raise DamagedFile(
            f"{rest:,} bytes at the end of the file belong to no tensor.",
            where=where,
            remedy=REMEDY,
        )


def aligned(position: int, alignment: int) -> int:
    """The first multiple of `alignment` that is not below `position`."""
    return position + -position % alignment
