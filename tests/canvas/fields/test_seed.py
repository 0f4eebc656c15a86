"""Seeds: up to 64 bits, dice, the last one, the lock."""

import pytest
from PySide6.QtCore import Qt

from ponystudio.canvas.fields.registry import for_spec

MOST = 2**64 - 1


def test_the_largest_seed_is_typed_shown_and_counted(studio):
    studio.double_click(studio.at("seed", 60.0))
    studio.type(str(MOST))
    studio.key(Qt.Key.Key_Return)
    assert studio.value("seed") == MOST
    studio.key(Qt.Key.Key_Up)
    assert studio.value("seed") == MOST
    studio.key(Qt.Key.Key_Down)
    assert studio.value("seed") == MOST - 1
    studio.view.grab()


def test_dice_roll_each_time(studio):
    seen = set()
    for _ in range(4):
        studio.click(studio.part("seed", "dice"))
        seen.add(studio.value("seed"))
    assert len(seen) == 4
    assert studio.steps == 4


def test_the_last_seed_comes_back(studio):
    studio.click(studio.part("seed", "last"))
    assert studio.steps == 0
    studio.seeds["a", "seed"] = 77
    studio.click(studio.part("seed", "last"))
    assert studio.value("seed") == 77


def test_the_lock_is_part_of_the_view(studio):
    studio.click(studio.part("seed", "lock"))
    assert studio.document.looks("a")["locked"] in (["seed"], ("seed",))
    assert "seed" in studio.document.looks("a")["locked"]
    studio.click(studio.part("seed", "lock"))
    assert "seed" not in studio.document.looks("a")["locked"]


@pytest.mark.parametrize(
    ("typed", "seed"), [("12 345", 12345), ("0xff", 255), ("2**64-1", MOST), ("7+1", 8)]
)
def test_how_seeds_are_typed(studio, typed, seed):
    assert for_spec(studio.document.spec("a").param_by_name["seed"]).read(typed, 7) == seed


@pytest.mark.parametrize("typed", ["-1", str(2**64), "1.5", "abc", ""])
def test_what_is_no_seed(studio, typed):
    field = for_spec(studio.document.spec("a").param_by_name["seed"])
    with pytest.raises(ValueError, match=r"\w"):
        field.read(typed, 7)
