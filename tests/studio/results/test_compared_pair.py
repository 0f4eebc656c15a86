"""Which pictures are compared, and how."""

from __future__ import annotations

from ponystudio.studio.results.comparison import ComparedPair


def test_pairs_are_made_and_kept(tmp_path):
    a, b, c = (tmp_path / name for name in "abc")
    pair = ComparedPair().clicked(b, False).clicked(a, True)
    assert (pair.a, pair.b, pair.mode) == (b, a, "slide")
    assert pair.clicked(c, False) == ComparedPair(b, c, "slide")
    assert pair.existing([c, b]) == ComparedPair(None, b, "one")
    assert ComparedPair().existing([]) == ComparedPair()
    assert ComparedPair(None, a).with_mode("side", [a]).mode == "one"  # nothing to compare with
    assert pair.marked(c).a == c
