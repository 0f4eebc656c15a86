"""Signed pictures: what others find in them, and the identity that signs."""

from __future__ import annotations

import io
import json
import stat
import sys

import pytest
from PIL import Image

from ponystudio.errors import NotWritable
from ponystudio.graph.digital_source import TRAINED
from ponystudio.graph.formats.picture_writer import FORMATS, embed
from ponystudio.pictures import content_credentials
from ponystudio.pictures.content_credentials import FILE, MIME, identity, signed

needs_c2pa = pytest.mark.skipif(
    not content_credentials.available(), reason="the extra c2pa is not installed"
)


@needs_c2pa
@pytest.mark.parametrize("format", FORMATS)
def test_a_signed_picture_says_what_made_it_and_that_nothing_was_changed(tmp_path, format):
    import c2pa

    who = identity(tmp_path)
    path = tmp_path / "p"
    picture = Image.linear_gradient("L").convert("RGB")

    def sign(data, format, source_type):
        return signed(data, format, source_type, who)

    embed(picture, path, format, {"parameters": "a"}, source_type=TRAINED, sign=sign)
    reader = c2pa.Reader(MIME[format], io.BytesIO(path.read_bytes()))
    assert reader.get_validation_state() == "Valid"
    manifest = json.loads(reader.json())
    assertions = next(iter(manifest["manifests"].values()))["assertions"]
    actions = next(each for each in assertions if each["label"].startswith("c2pa.actions"))
    assert [action["action"] for action in actions["data"]["actions"]] == ["c2pa.created"]
    assert actions["data"]["actions"][0]["digitalSourceType"] == TRAINED
    with Image.open(path) as found:
        found.load()
    # Where no model had a part there is no statement to sign.
    embed(picture, path, format, {}, sign=sign)
    with pytest.raises(c2pa.C2paError):
        c2pa.Reader(MIME[format], io.BytesIO(path.read_bytes()))


@needs_c2pa
def test_an_identity_is_made_once_and_is_its_owners_alone(tmp_path):
    first = identity(tmp_path / "data")
    assert identity(tmp_path / "data") == first
    assert identity(tmp_path / "other").key != first.key
    file = tmp_path / "data" / FILE
    assert list((tmp_path / "data").iterdir()) == [file]
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@needs_c2pa
def test_a_damaged_identity_is_said(tmp_path):
    (tmp_path / FILE).write_text("no key")
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    with pytest.raises(NotWritable, match="cannot be signed") as caught:
        signed(data.getvalue(), "png", TRAINED, identity(tmp_path))
    assert FILE in caught.value.remedy


def test_without_the_extra_it_is_said_how_to_get_it():
    assert "ponystudio[c2pa]" in content_credentials.not_available().remedy
