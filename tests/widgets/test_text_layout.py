"""Texts laid out."""

from ponystudio.widgets import text_layout


def test_lines_break_between_words_and_within_long_ones(qapp) -> None:
    room = int(text_layout.width("a unicorn", "body")) + 1
    assert text_layout.wrapped("a unicorn runs\nfar", "body", room)[0] == "a unicorn"
    pieces = text_layout.wrapped("x" * 200, "body", room)
    assert "".join(pieces) == "x" * 200
    assert all(text_layout.width(piece, "body") <= room for piece in pieces)


def test_only_whole_words_are_kept(qapp) -> None:
    room = int(text_layout.width("one two", "body")) + 1
    assert text_layout.whole_words("one two three", "body", room) == "one two"
    assert text_layout.whole_words("three", "body", 1) == ""


def test_names_of_files_lose_their_middle(qapp) -> None:
    name = "a-very-long-name-of-a-model.safetensors"
    room = int(text_layout.width(name, "body") / 2)
    assert text_layout.elided(name, "body", room, middle=True).endswith("s")
    assert text_layout.elided(name, "body", room).endswith("…")
