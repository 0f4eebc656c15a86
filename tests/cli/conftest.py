"""What tests of commands share."""

from __future__ import annotations

import pytest

from ponystudio.cli.arguments import main


@pytest.fixture
def said(capsys):
    """Stdout of `ponystudio WORDS`, which must do its work without a word on stderr."""

    def call(*words):
        assert main(list(map(str, words))) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return out

    return call
