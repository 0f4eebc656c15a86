"""A picture and the one that was made again: whether both are the same, and what else differs."""

from __future__ import annotations

import subprocess
import sys

from helpers.pictures import drawn, save_picture, text_to_picture
from ponystudio.engine.verification import compare


def test_the_same_in_every_pixel(tmp_path):
    one, other = (save_picture(tmp_path / f"{n}.png", text_to_picture()) for n in "ab")
    verdict = compare(one, other)
    assert (verdict.unlike, verdict.causes) == ("", ())


def test_one_pixel_is_seen(tmp_path):
    painted = drawn()
    painted.putpixel((3, 5), (0x8F, 0xCC, 0x88 + 3))
    one = save_picture(tmp_path / "a.png", text_to_picture())
    other = save_picture(tmp_path / "b.png", text_to_picture(), painted)
    verdict = compare(one, other)
    assert verdict.unlike == "0.0244 % of its pixels differ, by 3 of 255 at most"
    assert not verdict.close
    assert "it was edited" in verdict.why


def test_rounding_is_close(tmp_path):
    near = drawn()
    near.putpixel((3, 5), (0x8F, 0xCC, 0x88 + 2))
    one = save_picture(tmp_path / "a.png", text_to_picture())
    verdict = compare(one, save_picture(tmp_path / "b.png", text_to_picture(), near))
    assert verdict.close
    assert verdict.unlike == "0.0244 % of its pixels differ, by 2 of 255 at most"


def test_another_size_is_told_as_such(tmp_path):
    one = save_picture(tmp_path / "a.png", text_to_picture())
    other = save_picture(tmp_path / "b.png", text_to_picture(), drawn((64, 48)))
    assert compare(one, other).unlike == "64 × 48 pixels instead of 64 × 64"


def test_it_loads_no_torch():
    code = "import sys, ponystudio.engine.verification; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
