"""Pictures by way of the reader's process: hostile ones, special files, and its end at any time."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from helpers import hostile_pictures
from helpers.colour_files import SRGB_XYZ, rgb_profile
from ponystudio.errors import DamagedFile, MissingFile, PonyStudioError
from ponystudio.pictures import picture_bytes, picture_reader
from ponystudio.pictures.picture_reader import (
    read_facts,
    read_fields,
    read_head,
    read_levels,
    read_pixels,
    read_thumbnail,
)
from ponystudio.pictures.reader_protocol import PicturePixels

ROOT = Path(__file__).parents[2]
# Far more than any takes here; before, some took for ever.
PATIENCE = 30.0
# Bytes: what decoding a small file may take, the interpreter and its libraries included.
MODEST = 500 * 2**20


class Taken:
    """The pixels of one answer."""

    def __init__(self) -> None:
        self.data = bytearray()

    def into(self, pixels: PicturePixels) -> memoryview:
        self.data = bytearray(pixels.nbytes)
        return memoryview(self.data)


def thumbnail(source: Path | bytes, side: int = 64, *, fill: bool = False):
    """[H,W,4] blue, green, red, alpha; and what was told."""
    taken = Taken()
    told = read_thumbnail(source, side, taken.into, fill=fill)
    return np.frombuffer(taken.data, np.uint8).reshape(told.height, told.width, 4), told


def pixels(source: Path | bytes):
    taken = Taken()
    told = read_pixels(source, taken.into)
    return np.frombuffer(taken.data, np.uint8).reshape(told.height, told.width, 4), told


READERS: dict[str, Callable[[Path], object]] = {
    "fields": read_fields,
    "facts": read_facts,
    "head": read_head,
    "thumbnail": thumbnail,
    "pixels": pixels,
    "levels": read_levels,
}


def readers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "reader" in child.cmdline()[-2:]]


def little_memory(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(picture_reader, "available", lambda: free)
    monkeypatch.setattr(picture_reader, "free_memory", picture_reader.FreeMemory())


def drawn(width: int = 60, height: int = 40) -> Image.Image:
    """Red at the left, blue at the right, a green stripe below."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("blue", (width // 2, 0, width, height))
    picture.paste("lime", (0, height * 3 // 4, width, height))
    return picture


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WebP", "AVIF", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p", "p.svg"])
def test_what_it_is_tells_the_content_and_not_the_name(tmp_path, format, name):
    path = tmp_path / name
    drawn().save(path, format)
    head = read_head(path)
    assert (head.format, head.width, head.height) == (format, 60, 40)
    for found, told in (pixels(path), thumbnail(path, 60), thumbnail(path.read_bytes(), 60)):
        assert found.shape == (40, 60, 4)
        assert told.opaque
        assert (found[..., 3] == 255).all()
        assert found[10, 10].argmax() == 2 or found[10, 10, 2] > 200
        assert found[10, 50, 0] > 200
        assert found[35, 30, 1] > 200
    assert read_levels(path).levels.shape == (40, 60, 4)


@pytest.mark.parametrize("name", hostile_pictures.NO_PICTURES)
def test_what_is_no_picture_is_refused(tmp_path, name):
    path = hostile_pictures.written(tmp_path, name)
    assert read_fields(path) == {}
    assert read_facts(path).width == 0
    for reader in (read_head, thumbnail, pixels, read_levels):
        with pytest.raises(DamagedFile, match="cannot be read") as caught:
            reader(path)
        assert "Known are PNG, JPEG" in str(caught.value)
        assert caught.value.where == str(path)


@pytest.mark.parametrize("name", hostile_pictures.BOMBS)
def test_bombs_cost_little(tmp_path, name):
    path = hostile_pictures.written(tmp_path, name)
    peak = 0
    said: list[str] = []
    done = threading.Event()

    def measure() -> None:
        nonlocal peak
        while not done.wait(0.01):
            for process in psutil.Process().children():
                try:
                    peak = max(peak, process.memory_info().rss)
                except psutil.Error:
                    pass

    watch = threading.Thread(target=measure)
    watch.start()
    try:
        for reader in READERS.values():
            begun = time.monotonic()
            try:
                reader(path)
            except PonyStudioError as error:
                said.append(error.what)
            assert time.monotonic() - begun < PATIENCE
    finally:
        done.set()
        watch.join()
    assert peak < MODEST
    assert all("cannot be read" in what for what in said)
    # And another one after it.
    drawn().save(tmp_path / "good.png")
    assert read_head(tmp_path / "good.png").width == 60


def test_texts_have_one_budget_for_all_chunks(tmp_path):
    """64 chunks of what nearly fills it cost as much as one."""
    bomb = hostile_pictures.zeros(60)
    chunk = lambda n: hostile_pictures.png_chunk(b"zTXt", b"t%d\0\0" % n + bomb)  # noqa: E731
    (tmp_path / "p.png").write_bytes(hostile_pictures.png(8, 8, *(chunk(n) for n in range(64))))
    assert [len(text) for text in read_fields(tmp_path / "p.png").values()] == [60 * 2**20]


def test_a_text_longer_than_pillow_allows_hides_no_picture(tmp_path):
    """Graphs may be that long; Pillow refuses a picture with more than 1 MB of compressed text."""
    text = hostile_pictures.png_chunk(b"zTXt", b"graph\0\0" + hostile_pictures.zeros(3))
    (tmp_path / "p.png").write_bytes(hostile_pictures.png(8, 8, text))
    assert len(read_fields(tmp_path / "p.png")["graph"]) == 3 * 2**20
    assert read_levels(tmp_path / "p.png").levels.shape == (8, 8, 4)


def test_a_picture_larger_than_the_free_memory_is_refused_before_it_is_decoded(
    tmp_path, monkeypatch
):
    (tmp_path / "p.png").write_bytes(hostile_pictures.png(8000, 8000))
    little_memory(monkeypatch, 2**29)
    for reader in (read_head, thumbnail, pixels, read_levels):
        with pytest.raises(DamagedFile, match=r"8,000 × 8,000 pixels take 0\.7 GiB") as caught:
            reader(tmp_path / "p.png")
        assert "of memory are free" in caught.value.what


def test_the_numbers_of_a_picture_must_fit_as_well(tmp_path, monkeypatch):
    (tmp_path / "p.png").write_bytes(hostile_pictures.png(4000, 4000))
    monkeypatch.setattr(picture_reader, "LEAST_MEMORY", 2**30)
    little_memory(monkeypatch, 2**28)
    with pytest.raises(DamagedFile, match="GiB of memory are free"):
        read_levels(tmp_path / "p.png")
    monkeypatch.undo()
    assert read_levels(tmp_path / "p.png").levels.shape == (4000, 4000, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no such limit here")
def test_what_takes_more_than_it_is_given_fails_alone(tmp_path, monkeypatch):
    """A decoder that needs more than its header says meets the limit of the system."""
    file = io.BytesIO()
    Image.new("RGB", (3000, 3000)).save(file, "PNG")
    (tmp_path / "p.png").write_bytes(file.getvalue())
    monkeypatch.setattr(picture_reader, "LEAST_MEMORY", 2**20)
    little_memory(monkeypatch, 0)
    packed = zlib.compress(bytes(200 * 2**20))
    text = hostile_pictures.png_chunk(b"zTXt", b"t\0\0" + packed)
    (tmp_path / "t.png").write_bytes(hostile_pictures.png(8, 8, text, text))
    with pytest.raises(DamagedFile, match="memory"):
        read_pixels(tmp_path / "p.png", Taken().into)
    with pytest.raises(DamagedFile, match="memory"):
        read_fields(tmp_path / "t.png")
    monkeypatch.undo()
    assert read_head(tmp_path / "p.png").width == 3000


def test_what_takes_too_long_is_ended_and_the_next_is_read(tmp_path, monkeypatch):
    """Ten million steps of a filter in a picture that is not to take longer than a moment."""
    (tmp_path / "p.png").write_bytes(hostile_pictures.png(9000, 9000, depth=8, colour=6))
    monkeypatch.setattr(picture_reader, "WHOLE", (0.1, 1e12, 0.1))
    with pytest.raises(DamagedFile, match="takes longer than"):
        pixels(tmp_path / "p.png")
    drawn().save(tmp_path / "good.png")
    monkeypatch.undo()
    assert pixels(tmp_path / "good.png")[1].width == 60


def test_a_reader_that_is_killed_is_started_again(tmp_path):
    (tmp_path / "p.png").write_bytes(hostile_pictures.png(9000, 9000, colour=6))
    drawn().save(tmp_path / "good.png")
    read_head(tmp_path / "good.png")
    (before,) = readers()
    raised: list[str] = []

    def read() -> None:
        try:
            pixels(tmp_path / "p.png")
        except DamagedFile as error:
            raised.append(error.what)

    thread = threading.Thread(target=read)
    thread.start()
    busy = time.monotonic() + PATIENCE
    used = sum(before.cpu_times()[:2])
    while sum(before.cpu_times()[:2]) < used + 0.02 and time.monotonic() < busy:
        time.sleep(0.001)
    before.kill()
    thread.join()
    assert raised == [
        "The picture cannot be read: its decoder has failed, perhaps for lack of memory."
    ]
    assert read_head(tmp_path / "good.png").width == 60
    assert before not in readers()


def test_one_that_died_while_nobody_asked_is_not_missed(tmp_path):
    drawn().save(tmp_path / "good.png")
    read_head(tmp_path / "good.png")
    for process in readers():
        process.kill()
        process.wait(PATIENCE)
    assert read_head(tmp_path / "good.png").width == 60


def test_it_ends_with_whoever_started_it(tmp_path):
    drawn().save(tmp_path / "good.png")
    code = (
        "import sys, os, psutil; from pathlib import Path;"
        "from ponystudio.pictures.picture_reader import read_head;"
        "read_head(Path(sys.argv[1]));"
        "print(*[child.pid for child in psutil.Process().children()], flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "good.png"], capture_output=True, text=True
    )
    (pid,) = map(int, done.stdout.split())
    patience = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < patience
        time.sleep(0.02)


def test_several_ask_at_once_and_as_many_processes_as_are_allowed_answer(tmp_path):
    for n in range(12):
        drawn(20 + n, 10).save(tmp_path / f"{n}.png")
    found: dict[int, int] = {}

    def read(n: int) -> None:
        found[n] = read_head(tmp_path / f"{n}.png").width

    threads = [threading.Thread(target=read, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: 20 + n for n in range(12)}
    assert len(readers()) <= picture_reader.PROCESSES


def test_without_a_way_to_hand_files_over_their_content_is_sent(tmp_path, monkeypatch):
    """As on Windows: over pipes, with a thread that keeps the time."""
    picture_reader.close()
    monkeypatch.setattr(picture_reader.ReaderPool, "hands_over", False)
    drawn().save(tmp_path / "good.png")
    found, told = pixels(tmp_path / "good.png")
    assert (told.width, told.height) == (60, 40)
    assert found[10, 50, 0] > 200
    (tmp_path / "p.png").write_bytes(hostile_pictures.png(9000, 9000, colour=6))
    monkeypatch.setattr(picture_reader, "WHOLE", (0.1, 1e12, 0.1))
    with pytest.raises(DamagedFile, match="takes longer than"):
        pixels(tmp_path / "p.png")
    assert read_head(tmp_path / "good.png").width == 60
    picture_reader.close()


@pytest.mark.log_warnings
def test_where_its_rights_cannot_be_given_up_it_reads_with_them(tmp_path, monkeypatch, caplog):
    """A system whose decoders need more than the filter allows: the last try is less confined,
    which is said, and the next process is tried confined again."""
    picture_reader.close()
    command = picture_reader.reader_command

    def fragile(*options: str) -> list[str]:
        return command(*options) if options else [sys.executable, "-c", "pass"]

    monkeypatch.setattr(picture_reader, "pool", picture_reader.ReaderPool())
    drawn().save(tmp_path / "good.png")
    with monkeypatch.context() as broken:
        broken.setattr(picture_reader, "reader_command", fragile)
        assert read_head(tmp_path / "good.png").width == 60
        assert picture_reader.protections() == ()
        assert "keeps its rights" in caplog.text
    started = []
    monkeypatch.setattr(
        picture_reader, "reader_command", lambda *options: started.append(options) or command()
    )
    picture_reader.close()
    assert read_head(tmp_path / "good.png").width == 60
    picture_reader.close()
    assert started == [()]


def test_where_it_cannot_be_started_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_reader, "pool", picture_reader.ReaderPool())
    monkeypatch.setattr(picture_reader, "reader_command", lambda *_: [str(tmp_path / "gone")])
    drawn().save(tmp_path / "good.png")
    with pytest.raises(DamagedFile, match="reader cannot be started"):
        read_head(tmp_path / "good.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files in folders")
@pytest.mark.parametrize("reader", READERS)
def test_special_files_are_no_pictures(tmp_path, reader):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "dead.png").symlink_to("nowhere")
    read = READERS[reader]
    for name, what in (("pipe", "a pipe"), ("folder", "a folder"), ("zero", "a device")):
        with pytest.raises(DamagedFile, match=f"it is {what}, not a file"):
            read(tmp_path / f"{name}.png")
    if Path("/dev/ptmx").exists():
        with pytest.raises(DamagedFile, match="a device"):
            read(Path("/dev/ptmx"))
    for gone in (tmp_path / "dead.png", tmp_path / "gone.png"):
        with pytest.raises(MissingFile):
            read(gone)
    with pytest.raises(DamagedFile):
        read(Path("a\0b"))


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WebP", "AVIF", "GIF", "BMP", "TIFF"])
def test_cut_and_flipped_files_are_answered(tmp_path, format):
    """Whatever the answer is; and the process lives on, or another one does."""
    path = tmp_path / "p"
    file = io.BytesIO()
    drawn().save(file, format)
    data = file.getvalue()
    step = max(1, len(data) // 40)
    changed = [data[:cut] for cut in range(0, len(data), step)]
    changed += [
        data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        for place in range(0, len(data), step)
    ]
    said = set()
    for content in changed:
        path.write_bytes(content)
        for reader in (read_facts, thumbnail, read_levels):
            try:
                reader(path)
            except DamagedFile as error:
                said.add(error.what.partition(":")[0])
    assert said <= {"The picture cannot be read"}
    path.write_bytes(data)
    assert read_head(path).width == 60


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WebP", "TIFF"])
def test_all_stand_upright(tmp_path, format, orientation):
    """As the camera was held: each way of reading has the same picture."""
    upright = drawn()
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's, which undo the orientation's
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "p"
    options = (
        {"quality": 95} if format == "JPEG" else {"lossless": True} if format == "WebP" else {}
    )
    stored.save(path, format, exif=exif, **options)
    head = read_head(path)
    assert (head.width, head.height) == (60, 40)
    wanted = np.asarray(upright)
    shown, told = pixels(path)
    assert told.whole == (60, 40)
    levels = read_levels(path).levels
    for found in (shown[..., 2::-1], levels[..., :3] * 255, thumbnail(path, 60)[0][..., 2::-1]):
        assert found.shape == (40, 60, 3)
        assert np.abs(found.astype(int) - wanted)[5:25, 5:25].max() < 30
        assert np.abs(found.astype(int) - wanted)[35:, 40:].max() < 30


def test_thumbnails_fit_or_fill_and_are_never_enlarged(tmp_path):
    drawn(600, 200).save(tmp_path / "p.png")
    fitting, told = thumbnail(tmp_path / "p.png", 60)
    assert fitting.shape == (20, 60, 4)
    assert told.whole == (600, 200)
    filling, _ = thumbnail(tmp_path / "p.png", 60, fill=True)
    assert filling.shape == (60, 60, 4)
    assert filling[10, 10, 2] > 200  # its left half is red still
    assert filling[10, 50, 0] > 200
    assert thumbnail(tmp_path / "p.png", 4000)[0].shape == (200, 600, 4)
    Image.new("RGB", (1, 30_000), "red").save(tmp_path / "line.png")
    assert thumbnail(tmp_path / "line.png", 60)[0].shape == (60, 1, 4)
    assert thumbnail(tmp_path / "line.png", 60, fill=True)[0].shape == (60, 60, 4)


def test_hidden_colours_do_not_bleed_into_thumbnails(tmp_path):
    """Red under full transparency, a white disc: the edge stays white."""
    picture = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    picture.paste((255, 255, 255, 255), (100, 100, 300, 300))
    picture.save(tmp_path / "p.png")
    found, told = thumbnail(tmp_path / "p.png", 50)
    assert not told.opaque
    assert (found[..., 0] == found[..., 2]).all()  # multiplied by alpha
    assert (found[..., 2] == found[..., 3]).all()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
def test_what_follows_a_jpeg_does_not_count(tmp_path, options):
    """Cameras write a film behind the picture, in which any two bytes come often."""
    drawn(300, 200).save(tmp_path / "still.jpg", **options)
    still = (tmp_path / "still.jpg").read_bytes()
    film = np.random.default_rng(1).bytes(12_000_000)
    assert film.count(b"\xff\xda") > picture_bytes.MAX_SCANS
    (tmp_path / "motion.jpg").write_bytes(still + film)
    shown, alone = pixels(tmp_path / "motion.jpg")[0], pixels(tmp_path / "still.jpg")[0]
    assert np.array_equal(shown, alone)
    parts = picture_bytes.sound_parts(io.BytesIO(still + film), "JPEG").read()
    assert parts == picture_bytes.sound_parts(io.BytesIO(still), "JPEG").read()


def test_scans_are_counted_wherever_a_decoder_finds_them():
    """Behind the marker of an end that is a table's content, behind one that fills, and at each
    place to which a block of the file may reach."""
    data = hostile_pictures.many_scans(1)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    table = b"\xff\xc4\0\x16\x03\0\3" + bytes(14) + b"\0\xff\xd9"
    for between in (table, b"\xff\xff\xff", b"\xff\xd3", b"\xff\x01", b"\0\xff\x00\0"):
        file = io.BytesIO(data[:last] + (between + scan) * 300 + data[-2:])
        with pytest.raises(picture_bytes.NoPicture, match="scans"):
            picture_bytes.sound_parts(file, "JPEG")
    end = b"\xff\xff\xc4\x00\x04\xff\xda\xff\xd9"
    for short in range(-1, 12):
        fill = bytes(2**20 - short)
        whole = data[:last] + fill + end
        parts = picture_bytes.sound_parts(io.BytesIO(whole + scan * 300), "JPEG")
        assert parts.read().endswith(fill + end)


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    for format in ("GIF", "PNG", "WebP", "TIFF"):
        frames[0].save(tmp_path / "p", format, save_all=True, append_images=frames[1:])
        found, _ = pixels(tmp_path / "p")
        assert found.shape == (20, 30, 4)
        assert found[10, 10, 2] > 200
        assert found[10, 10, 1] < 60


def test_colours_are_shown_as_they_are_meant(tmp_path):
    """A thumbnail and the whole picture, of one whose profile has its primaries swapped."""
    red, green, blue = SRGB_XYZ
    swapped = rgb_profile((green, red, blue))
    Image.new("RGB", (30, 20), "red").save(tmp_path / "p.png", icc_profile=swapped)
    for found, _ in (pixels(tmp_path / "p.png"), thumbnail(tmp_path / "p.png")):
        assert np.abs(found[10, 10].astype(int) - [0, 255, 0, 255]).max() <= 1


# --- Who decodes ----------------------------------------------------------------------------------

# Modules that may decode a picture's bytes by Qt, and by Pillow.
DECODE_BY_QT = {"ponystudio/qt/picture_image.py"}
DECODE_BY_PILLOW = {"ponystudio/pictures/picture_decoder.py"}
DECODERS_OF_PILLOW = {
    f"{name}ImagePlugin" for name in ("Avif", "Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP")
}
QT_DECODERS = {"QImageReader", "QMovie", "QPicture", "QSvgRenderer", "QSvgWidget"}


def _decodes_by_qt(tree: ast.Module) -> bool:
    for part in ast.walk(tree):
        if isinstance(part, ast.Name | ast.Attribute):
            name = part.id if isinstance(part, ast.Name) else part.attr
            if name in QT_DECODERS | {"fromData", "loadFromData"}:
                return True
        if isinstance(part, ast.Call) and part.args:
            first = ast.unparse(part.args[0])
            made = ast.unparse(part.func)
            # QImage(width, height, format) is an empty one, QImage(path) decodes.
            named = "path" in first or "file" in first or first.startswith(("str(", "'"))
            if made in ("QImage", "QPixmap", "QIcon") and len(part.args) == 1 and named:
                return True
            if first in ("QImage", "QPixmap", "QIcon") and made.endswith("in_background"):
                return True
    return False


def _decodes_by_pillow(tree: ast.Module) -> bool:
    opened = ("Image.open", "PIL.Image.open")
    return any(
        (isinstance(part, ast.Attribute) and ast.unparse(part) in opened)
        or (
            isinstance(part, ast.ImportFrom)
            and part.module == "PIL"
            and any(alias.name in DECODERS_OF_PILLOW for alias in part.names)
        )
        for part in ast.walk(tree)
    )


def test_nobody_but_the_reader_decodes_pictures():
    by_qt, by_pillow = set(), set()
    for folder in ("ponystudio", "nodes"):
        for path in (ROOT / folder).rglob("*.py"):
            tree, name = ast.parse(path.read_text("utf-8")), path.relative_to(ROOT).as_posix()
            if _decodes_by_qt(tree):
                by_qt.add(name)
            if _decodes_by_pillow(tree):
                by_pillow.add(name)
    assert by_qt == DECODE_BY_QT
    assert by_pillow == DECODE_BY_PILLOW
    for code in (
        "QImage(str(path))", "QPixmap('x.png')", "QImage.fromData(data)", "QImageReader(name)",
        "in_background(QImage, name)", "image.loadFromData(x)", "QMovie(path)", "QIcon(path)",
    ):  # fmt: skip
        assert _decodes_by_qt(ast.parse(code)), code


def test_the_window_and_the_worker_load_no_decoder(tmp_path):
    """Reading a picture in any way loads no reader of Pillow's here."""
    drawn().save(tmp_path / "p.png")
    code = (
        "import sys; from pathlib import Path; from ponystudio.pictures import picture_reader as r;"
        "path = Path(sys.argv[1]); r.read_fields(path); r.read_levels(path);"
        "r.read_thumbnail(path, 9, lambda p: memoryview(bytearray(p.nbytes)));"
        "print([name for name in sys.modules if name.startswith('PIL') or 'decoder' in name"
        " and name.startswith('ponystudio')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "p.png"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
