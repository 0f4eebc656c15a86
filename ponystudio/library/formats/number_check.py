"""Is there a not-a-number, or an infinite one, among the numbers of a file? Asked of small files,
in which one of them spoils every picture, before they are used.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy

from ponystudio.errors import DamagedFile
from ponystudio.library.formats.content_id import Remembered, identity
from ponystudio.library.formats.tensor_info import PACKED
from ponystudio.library.formats.tensor_values import pieces
from ponystudio.library.formats.weights_file import WeightsFile, open_weights

# Files of more bytes are looked through only when a run has failed.
LARGEST = 1 << 30
# Numbers that are looked at together: what stands between fits a core's cache.
PIECE = 1 << 19
# The bits of a number's exponent, which are all set in one that is none. The last has no infinity.
EXPONENTS = {
    "F64": 0x7FF0_0000_0000_0000,
    "F32": 0x7F80_0000,
    "F16": 0x7C00,
    "BF16": 0x7F80,
    "F8_E5M2": 0x7C,
    "F8_E4M3": 0x7F,
}
NOT_A_NUMBER, INFINITE = "a not-a-number", "an infinite number"

_known: Remembered[tuple[str, str]] = Remembered()


def check_numbers(path: Path) -> None:
    """Raise DamagedFile for a file of weights with a number that is none, and name its tensor.

    Passed over are folders and large files. What was found is remembered while the file stays the
    same. Raises what `open_weights` raises.
    """
    if path.is_dir():
        return
    own = identity(path)
    if own.size > LARGEST:
        return

    def find() -> tuple[str, str]:
        with open_weights(path) as file:
            return first_bad(file, file.tensors) or ("", "")

    name, what = _known.of((own,), find)
    if name:
        raise DamagedFile(
            f"There is {what} in its tensor {name!r}: every picture would be spoilt.",
            where=str(path),
            remedy="Get the file again, or one that was trained anew.",
        )


def first_bad(file: WeightsFile, names: Iterable[str]) -> tuple[str, str] | None:
    """The first of these tensors with a number that is none, and which kind that is."""
    return next(((name, what) for name in names if (what := bad_number(file, name))), None)


def bad_number(file: WeightsFile, name: str) -> str:
    """NOT_A_NUMBER or INFINITE, if there is one in a tensor of floats; "" if there is none."""
    dtype = file.tensors[name].dtype
    exponent = EXPONENTS.get(dtype)
    if exponent is None or dtype in PACKED:
        return ""
    for bits in pieces(file, name):
        mask = bits.dtype.type(exponent)
        for start in range(0, len(bits), PIECE):
            found = bits[start : start + PIECE]
            bad = found[(found & mask) == mask]
            if len(bad):
                fraction = bits.dtype.type((exponent & -exponent) - 1)
                infinite = dtype != "F8_E4M3" and not numpy.any(bad & fraction)
                return INFINITE if infinite else NOT_A_NUMBER
    return ""
