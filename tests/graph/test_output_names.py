"""Which prefixes stay inside the output folder, and are names on every system."""

import pytest

from ponystudio.errors import UnsafePath
from ponystudio.graph.output_names import checked_prefix


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        ".",
        "./.",
        "sub/",
        "../evil",
        "/tmp/evil",
        "a:b",
        "CON",
        "nul .txt",
        "CONIN$",
        "com¹",
        "x" * 300,
    ],
)
def test_names_that_are_none(prefix):
    with pytest.raises(UnsafePath):
        checked_prefix(prefix)


@pytest.mark.parametrize("prefix", ["pony", "a/b/c", "a\\b", "žluť", "v1.5-x", "conny/comet"])
def test_honest_prefixes_pass(prefix):
    assert not checked_prefix(prefix).is_absolute()


def test_half_a_character_is_no_name():
    with pytest.raises(UnsafePath, match="cannot have"):
        checked_prefix("pony\ud800")
