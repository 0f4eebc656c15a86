"""Text encoders that lie in files of their own, one or several to a file. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from ponystudio.diffusion.families import Family
from ponystudio.diffusion.loading.model_parts import PARTS, Hints, opened
from ponystudio.diffusion.weights.text_tensor_names import (
    TextEncoderTensors,
    of_towers,
    text_encoders,
)
from ponystudio.errors import ModelFileError, WrongKind
from ponystudio.library.formats.weights_file import WeightsFile, joined
from ponystudio.library.recognition.recognise import recognise


def together(paths: Sequence[Path], family: Family) -> tuple[WeightsFile, dict[str, Hints]]:
    """The files as one, each under its number, and what each says of the towers that it gives.

    The order of the files means nothing. Raises WrongKind for a file that gives nothing of what
    the family reads, for two of the same, and for one that is missing.
    """
    how = PARTS["clip"]
    with ExitStack() as stack:
        files, said = [], []
        for path in paths:
            try:
                file, hints = opened(recognise(path), how)
            except ModelFileError as error:
                error.where = error.where or str(path)
                raise
            files.append(stack.enter_context(file))
            said.append(hints)
        result = joined(paths[0], ((f"{n}/", file) for n, file in enumerate(files)))
        giver = _givers(text_encoders(result.tensors), paths, family)
        stack.pop_all()
    components = {
        component: said[giver.get(tower.name, 0)][component]
        for tower, component in zip(family.towers, how.components, strict=False)
    }
    return result, components


def check(paths: Sequence[Path], family: Family) -> None:
    """Raise what `together` does, of the files' headers."""
    file, _ = together(paths, family)
    file.close()


def nouns(family: Family) -> str:
    """What a family reads prompts with: "CLIP-L and T5-XXL"."""
    return _listed([tower.noun for tower in family.towers])


def _givers(
    found: list[TextEncoderTensors], paths: Sequence[Path], family: Family
) -> Mapping[str, int]:
    """Tower → the number of the file that gives it."""
    placed = of_towers(found, family.towers)
    giver = {name: _number(one) for name, one in placed.items()}
    for n, path in enumerate(paths):
        if n not in giver.values():
            raise _useless([one for one in found if _number(one) == n], path, placed, paths, family)
    for tower in family.towers:
        if tower.name not in giver and not tower.optional:
            alone = len(paths) == 1
            raise WrongKind(
                f"There is no {tower.noun} in {'this file' if alone else 'these files'},"
                f" and {family.title} reads it.",
                where=str(paths[0]) if alone else ", ".join(path.name for path in paths),
                remedy=f"Name a file of it too, in the node {PARTS['clip'].node}.",
            )
    return giver


def _number(one: TextEncoderTensors) -> int:
    return int(one.prefix.partition("/")[0])


def _useless(
    mine: list[TextEncoderTensors],
    path: Path,
    placed: Mapping[str, TextEncoderTensors],
    paths: Sequence[Path],
    family: Family,
) -> WrongKind:
    """What to say of a file that gives nothing."""
    same = {other.noun: other for other in placed.values()}
    for one in mine:
        if one.noun in same:
            other = paths[_number(same[one.noun])].name
            return WrongKind(
                f"This file holds {one.noun}, and so does {other}.",
                where=str(path),
                remedy=f"Name one of them only; {family.title} reads {nouns(family)}.",
            )
    held = _listed([one.noun for one in mine]) or "no text encoder that is known here"
    return WrongKind(
        f"This file holds {held}, and {family.title} reads {nouns(family)}.",
        where=str(path),
        remedy="Choose another file, or the family that this one is for.",
    )


def _listed(nouns: list[str]) -> str:
    return " and ".join(part for part in (", ".join(nouns[:-1]), *nouns[-1:]) if part)
