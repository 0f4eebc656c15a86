"""What is told a person, as data."""

from __future__ import annotations

from ponystudio.errors import MissingFile
from ponystudio.qt.notification import Notification


def test_an_error_is_told_with_what_to_do():
    error = MissingFile("There is no a.png.", remedy="Choose another.", where="a.json")
    found = Notification.of("Not opened", error, ("Choose…", print))
    assert found == Notification(
        "Not opened", "There is no a.png. Choose another.", (("Choose…", print),), "warn"
    )


def test_one_without_a_remedy_has_no_blank_at_its_end():
    assert Notification.of("No", MissingFile("It is gone.")).text == "It is gone."
