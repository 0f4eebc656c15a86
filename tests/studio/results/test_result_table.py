"""The table of pictures on disk: what is found, kept and mended."""

from __future__ import annotations

import sqlite3

from helpers.frail_disk import FrailSqlite, every_failure
from helpers.pictures import save_picture, text_to_picture
from ponystudio.studio.results.picture_record import read_picture
from ponystudio.studio.results.result_table import Query, ResultTable, made_with

LARGEST_SEED = 2**64 - 1


def found(store: ResultTable, text: str = "", starred: bool = False) -> list[str]:
    return [picture.name for picture in store.find(Query(text, starred)).pictures]


def test_the_store_finds_by_words_and_keeps_stars(tmp_path):
    paths = [
        save_picture(tmp_path / "a.png", text_to_picture("fox, 3d", seed=77), time=1000),
        save_picture(
            tmp_path / "b.png", text_to_picture("fox, flat", seed=LARGEST_SEED), time=2000
        ),
    ]
    store = ResultTable(tmp_path / "data" / "results.sqlite")
    try:
        store.put(picture for path in paths if (picture := read_picture(path)))
        assert found(store) == ["b.png", "a.png"]
        assert found(store, "3d fox") == ["a.png"]
        assert found(store, "FOX 1844") == ["b.png"]
        assert found(store, "seed:77") == ["a.png"]
        assert found(store, "100%") == []
        store.star([str(paths[0])], True)
        assert found(store, starred=True) == ["a.png"]
        store.mark_gone([str(paths[0])])
        assert found(store) == ["b.png"]
        store.put([read_picture(paths[0])])  # it came back, and so does its star
        assert store.find(Query("3d")).pictures[0].starred
        assert store.find(Query(limit=1)).total == 2
    finally:
        store.close()


def test_results_are_found_by_each_of_their_files(tmp_path):
    lora = {"a": ("my mane.safetensors",), "b": ("my mane 2.safetensors", "100%.pt"), "c": ()}
    paths = [
        save_picture(tmp_path / f"{name}.png", text_to_picture(), time=n, loras=files)
        for n, (name, files) in enumerate(lora.items())
    ]
    store = ResultTable(tmp_path / "results.sqlite")
    store.put(picture for path in paths if (picture := read_picture(path)))
    assert found(store, made_with("my mane")) == ["a.png"]
    assert found(store, made_with("100%")) == ["b.png"]
    assert found(store, made_with("starter")) == ["c.png", "b.png", "a.png"]
    assert found(store, "file:mane") == ["b.png", "a.png"]
    assert found(store, '"mane 2" fox') == ["b.png"]
    assert store.find(Query("file:100")).pictures[0].files == ("100%", "my mane 2", "starter")
    store.close()


def test_an_index_that_knew_no_files_has_its_pictures_read_again(tmp_path):
    picture = read_picture(save_picture(tmp_path / "a.png", text_to_picture()))
    assert picture is not None
    store = ResultTable(tmp_path / "results.sqlite")
    store.put([picture])
    stamp = {str(picture.path): (picture.mtime, picture.bytes)}
    assert store.stamps(tmp_path) == stamp
    store.close()
    with sqlite3.connect(tmp_path / "results.sqlite") as connection:
        connection.execute("ALTER TABLE pictures DROP COLUMN files")
    connection.close()
    store = ResultTable(tmp_path / "results.sqlite")
    assert store.stamps(tmp_path) != stamp
    assert found(store, "fox") == ["a.png"]
    store.put([picture])
    assert store.stamps(tmp_path) == stamp
    store.close()


def test_a_damaged_index_is_begun_anew(tmp_path):
    file = tmp_path / "results.sqlite"
    file.write_bytes(b"no database" * 100)
    store = ResultTable(file)
    assert found(store) == []
    store.close()
    assert (tmp_path / "results.sqlite.damaged").exists()


def test_no_fault_of_the_disk_takes_the_stars(tmp_path):
    picture = read_picture(save_picture(tmp_path / "a.png", text_to_picture("fox")))

    def scenario(number: int) -> FrailSqlite:
        file = tmp_path / f"{number}" / "results.sqlite"
        store = ResultTable(file)
        store.put([picture])
        store.star([str(picture.path)], True)
        store.close()
        with FrailSqlite(number) as frail:
            try:
                store = ResultTable(file)
                store.put([picture])
                store.find(Query("fox"))
                store.stamps(tmp_path)
            except sqlite3.OperationalError:
                pass
            finally:
                store.close()
        store = ResultTable(file)
        assert found(store, starred=True) == ["a.png"], frail.failed
        store.close()
        assert not list(file.parent.glob("*.damaged"))
        return frail

    every_failure(scenario)


def test_an_index_of_another_version_keeps_its_columns(tmp_path):
    file = tmp_path / "results.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE pictures (path TEXT PRIMARY KEY, time REAL, mood TEXT)")
        connection.execute("INSERT INTO pictures VALUES ('/x/a.png', 5, 'calm')")
    connection.close()
    store = ResultTable(file)
    assert found(store) == ["a.png"]
    assert found(store, "x") == []  # a folder is no name
    store.close()
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT mood FROM pictures").fetchone() == ("calm",)
    connection.close()
