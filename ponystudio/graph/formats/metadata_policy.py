"""What saved pictures carry besides their pixels, as their maker wants it."""

from __future__ import annotations

from dataclasses import dataclass, replace

EVERYTHING, WITHOUT_PROMPTS, NOTHING = "everything", "without prompts", "nothing"
TEXTS = (EVERYTHING, WITHOUT_PROMPTS, NOTHING)
"""Each says less than the one before."""


@dataclass(frozen=True)
class MetadataPolicy:
    """`texts`, one of TEXTS: graph, receipt and what other tools read. `disclosed`: that a model
    made the picture (`graph/digital_source.py`). `signed`: that statement, and with `texts` also
    the picture, under a signature of this machine (`pictures/content_credentials.py`).
    """

    texts: str = EVERYTHING
    disclosed: bool = True
    signed: bool = False

    def at_most(self, texts: str) -> MetadataPolicy:
        """This one, with no more texts than those."""
        return replace(self, texts=max(self.texts, texts, key=TEXTS.index))

    @property
    def suffix(self) -> str:
        """What stands for it where files are known by how they were made; "" for the usual one."""
        return "" if self == USUAL else f" {self.texts}, {self.disclosed}, {self.signed}"


USUAL = MetadataPolicy()
