"""Errors on stderr."""

from __future__ import annotations

from ponystudio.cli.error_report import Refused, print_error, printable
from ponystudio.errors import MissingFile, ParamRange


def test_every_error_of_a_graph_is_told_with_its_remedy(capsys):
    first = ParamRange("It is too large.", node="sampler", socket="steps")
    second = MissingFile("There is no a.png.", remedy="Choose another.")
    refused = Refused([first, second])
    assert (refused.what, refused.where, refused.exit_code) == (first.what, "sampler.steps", 2)
    print_error(refused)
    assert capsys.readouterr() == (
        "",
        "error: sampler.steps: It is too large.\nerror: There is no a.png.\n  Choose another.\n",
    )


def test_what_steers_a_terminal_is_spelt_out():
    assert printable("a\x1b[2Jé\n\tb\x07") == "a\\x1b[2Jé\n\tb\\x07"
