"""What a picture is called when the model is trained on it, and the numbers of its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from random import Random

from ponystudio.diffusion.text.clip_tokens import CHUNK, ClipTokenizer
from starter.concepts import Concept
from starter.pictures import BACKGROUNDS

START, END = 49406, 49407
# Beside the captions' own: what people write between tags.
COMMON = (",", "background", "(", ")", ":", "and", "a", "the", "on", "of")

OTHER_NAME = 0.2  # how often one of the other names stands for the concept
NO_NAME = 0.06
NO_STYLE = NO_BACKGROUND = 0.08
EXTRA = 0.25  # how often one of the shared keywords comes along
SHUFFLED = 0.7


def caption(
    concept: Concept, style: str, background: str, random: Random, *, simple: bool = False
) -> str:
    """A caption such as "unicorn, 3d, blue background"; `simple` ones call it by its name."""
    other = not simple and random.random() < OTHER_NAME
    tags = [random.choice(concept.names) if other else concept.name]
    if random.random() >= NO_STYLE:
        tags.append(style)
    if random.random() >= NO_BACKGROUND:
        tags.append(f"{background} background")
    if not simple and concept.keywords and random.random() < EXTRA:
        tags.append(random.choice(concept.keywords))
    if not simple and random.random() < NO_NAME:
        tags.pop(0)
    if random.random() < SHUFFLED:
        random.shuffle(tags)
    return ", ".join(tags)


@cache
def framed(text: str) -> tuple[int, ...]:
    """The 77 token ids that the app's text encoder is given for a short prompt."""
    return tuple(token.id for token in _tokenizer().frame(_tokens(text)).tokens)


def length(text: str) -> int:
    """How many of the 77 stand before the first END."""
    return 1 + len(_tokens(text))


def tokens(concepts: Sequence[Concept], styles: Iterable[str]) -> list[int]:
    """The ids of every token that captions can hold, in rising order."""
    words = [word for concept in concepts for word in (*concept.names, *concept.keywords)]
    found = {START, END}
    for text in (*words, *styles, *BACKGROUNDS, *COMMON):
        found.update(_tokenizer().ids(text))
    return sorted(found)


def _tokens(text: str):
    from ponystudio.diffusion.text.clip_tokens import Token

    return [Token(id) for id in _tokenizer().ids(text)[:CHUNK]]


@cache
def _tokenizer() -> ClipTokenizer:
    return ClipTokenizer()
