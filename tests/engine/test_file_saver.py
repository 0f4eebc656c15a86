import errno
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from helpers.frail_disk import FrailDisk, every_failure
from ponystudio.engine.file_saver import save_numbered
from ponystudio.errors import PonyStudioError, UnsafePath
from ponystudio.graph.atomic_write import write_bytes
from ponystudio.graph.name_tokens import NUMBER


def write(path):
    path.write_text(path.suffix)


def test_numbers_go_on_after_the_highest(tmp_path):
    (tmp_path / "a_00007.png").touch()
    (tmp_path / "a_00009.webp").touch()
    (tmp_path / "ab_00099.png").touch()
    assert save_numbered(tmp_path, "a", ".png", write).name == "a_00008.png"
    (tmp_path / "a_99999.png").touch()
    assert save_numbered(tmp_path, "a", ".png", write).name == "a_100000.png"


def test_the_number_stands_where_the_name_says(tmp_path):
    prefix = f"x/a_{NUMBER}_b"
    assert save_numbered(tmp_path, prefix, ".png", write).name == "a_00001_b.png"
    assert save_numbered(tmp_path, prefix, ".png", write).name == "a_00002_b.png"
    assert save_numbered(tmp_path, f"{NUMBER}{NUMBER}", ".png", write).name == "0000100001.png"
    assert save_numbered(tmp_path, f"{NUMBER}{NUMBER}", ".png", write).name == "0000200002.png"


def test_what_values_have_made_of_a_name_is_no_token(tmp_path):
    path = save_numbered(tmp_path, "%seed% [date] 7%", ".png", write)
    assert path.name == "%seed% [date] 7%_00001.png"


def test_many_at_once_replace_nothing(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: save_numbered(tmp_path, "x/y", ".png", write), range(40)))
    assert len(set(paths)) == 40
    assert sorted((tmp_path / "x").iterdir()) == sorted(paths)


def test_a_failure_leaves_nothing_behind(tmp_path):
    def fail(path):
        path.write_text("half")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        save_numbered(tmp_path, "a", ".png", fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prefix", ["link/a", "link/new/a"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path, prefix):
    output, other = tmp_path / "output", tmp_path / "other"
    output.mkdir()
    other.mkdir()
    (output / "link").symlink_to(other)
    with pytest.raises(UnsafePath):
        save_numbered(output, prefix, ".png", write)
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_whatever_fails_there_is_a_whole_picture_or_none(tmp_path, code):
    def scenario(number: int) -> FrailDisk:
        root = tmp_path / f"{number}" / "disk"
        root.mkdir(parents=True)
        with FrailDisk(root, number, code) as disk:
            try:
                saved = save_numbered(root, "x/a", ".png", lambda path: write_bytes(path, b"whole"))
            except PonyStudioError:
                saved = None
            cuts = [disk.cut_power(random.Random(n), root.parent / f"{n}") for n in range(5)]
        assert saved is None or saved == root / "x" / "a_00001.png"
        for after in (root, *cuts):
            found = [path.read_bytes() for path in after.glob("x/a_*.png")]
            assert found == [b"whole"] or (found == [] and saved is None), disk.failed
        return disk

    every_failure(scenario)


def test_what_a_killed_process_left_half_is_swept(tmp_path):
    old = tmp_path / ".a.0123abcd.ponystudio.tmp.png"
    others = [".hidden.png", ".a.0123abcd.tmp.png", ".0123456789abcdef.tmp"]
    kept = [tmp_path / name for name in (*others, ".a.0123abce.ponystudio.tmp.png")]
    for path in (old, *kept):
        path.touch()
    for path in (old, *kept[:-1]):
        os.utime(path, (time.time() - 60,) * 2)
    saved = save_numbered(tmp_path, "a", ".png", write)
    assert set(tmp_path.iterdir()) == {saved, *kept}
