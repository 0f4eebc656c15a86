"""What a picture says of how it was made."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from ponystudio.errors import Differs, GraphFileError
from ponystudio.graph.formats.receipt import Receipt
from ponystudio.pictures.picture_graph import read_receipt


@pytest.mark.parametrize(("batch", "own"), [({}, "a"), ({"batch": {"index": 1}}, "b")])
def test_its_own_of_a_batch(batch, own):
    assert Receipt(batch).own([Path("a"), Path("b")]) == Path(own)


@pytest.mark.parametrize("index", [2, -1, "1", None])
def test_a_batch_without_it(index):
    with pytest.raises(Differs, match="there are 2 pictures"):
        Receipt({"batch": {"index": index}}).own([Path("a"), Path("b")])


def test_a_picture_that_does_not_tell(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    with pytest.raises(GraphFileError):
        read_receipt(tmp_path / "plain.png")
