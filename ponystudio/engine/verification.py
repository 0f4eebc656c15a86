"""Whether a picture that was made again is the one that it was made from. Importing this loads no
torch: the studio asks, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ponystudio.graph.formats.receipt import Receipt, Verdict
from ponystudio.graph.plain_json import shown
from ponystudio.pictures.picture_graph import read_receipt
from ponystudio.pictures.picture_reader import read_levels

# What the environment of a receipt is called in a sentence.
_TITLES = {"device": "device", "dtype": "precision", "torch": "torch", "attention": "attention"}
# And its versions, of which those that are not named here are packages.
_VERSIONS = {"card": "what computes", "threads": "number of threads", "system": "system"}
TOLERANCE = 2
"""Of 255, in every pixel: so far other devices, versions and numbers of threads round apart."""


def compare(picture: Path, again: Path) -> Verdict:
    """Of a picture and the one that was made again from its graph. Raises DamagedFile."""
    causes = _causes(read_receipt(picture), read_receipt(again))
    unlike, close = _difference(picture, again)
    return Verdict(unlike, tuple(causes), close)


def _difference(one: Path, other: Path) -> tuple[str, bool]:
    """In words, and whether it is within TOLERANCE."""
    old, new = read_levels(one).levels, read_levels(other).levels
    if old.shape != new.shape:
        (height, width), (now_height, now_width) = old.shape[:2], new.shape[:2]
        return f"{now_width} × {now_height} pixels instead of {width} × {height}", False
    apart = np.abs(old - new).max(axis=2)
    count = int((apart > 0).sum())
    if not count:
        return "", True
    share, most = 100 * count / apart.size, 255 * float(apart.max())
    what = f"{share:.3g} % of its pixels differ, by {most:.3g} of 255 at most"
    return what, most <= TOLERANCE + 1e-4


def _plain(value: object) -> str:
    """As it is said in a sentence, whatever a file has there."""
    return value[:60] if isinstance(value, str) else shown(value)


def _causes(then: Receipt, now: Receipt) -> Iterator[str]:
    """What was different when the picture was made."""
    old, new = then.data.get("ponystudio"), now.data.get("ponystudio")
    if old != new:
        yield f"PonyStudio was {old}, is {new}"
    before, after = then.environment, now.environment
    for name, title in _TITLES.items():
        if before.get(name) != after.get(name):
            yield f"{title} was {before.get(name)}, is {after.get(name)}"
    earlier, later = then.part("versions"), now.part("versions")
    for name, value in earlier.items():
        if name in later and later[name] != value:
            yield f"{_VERSIONS.get(name, name)} was {_plain(value)}, is {_plain(later[name])}"
    if before.get("code") != after.get("code"):
        yield "the code of nodes has changed"
    models = now.part("models")
    for name, model in then.part("models").items():
        found = models.get(name, {})
        if not isinstance(model, dict) or model.get("content") == found.get("content"):
            continue
        if model.get("sha256") and model.get("sha256") == found.get("sha256"):
            yield f"the config or tokenizer beside {name} is another one"
        else:
            yield f"{name} is another file"
