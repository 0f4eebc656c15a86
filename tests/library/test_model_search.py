"""Files that a graph names and that lie elsewhere, under other names."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ponystudio.errors import Cancelled
from ponystudio.graph.catalog import shipped_catalog
from ponystudio.graph.editing.edits import Compound
from ponystudio.graph.editing.rebinding import rebinding
from ponystudio.graph.model import Graph, Node
from ponystudio.library.formats import content_id
from ponystudio.library.formats.content_id import hashes
from ponystudio.library.model_folders import ModelFolders
from ponystudio.library.model_index import ModelIndex
from ponystudio.library.model_search import ModelSearch, NamedModel, names_found

CATALOG = shipped_catalog()


def tiny(path: Path, number: int, size: int = 64) -> Path:
    """A safetensors file of one tensor, of which no two numbers have the same bytes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    body = random.Random(number).randbytes(size)
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)
    return path


def loras(*names: str, **models: dict[str, str]) -> Graph:
    rows = [{"on": True, "file": name, "strength": 1.0} for name in names]
    return Graph(
        {"loras": Node("loras", "core.apply_loras", params={"loras": rows})},
        models={name: {"kind": "loras", **facts} for name, facts in models.items()},
    )


def look(graph: Graph, root: Path, **more: Any) -> list[NamedModel]:
    return ModelSearch(ModelFolders([root])).look(graph, CATALOG, **more)


def rebound(graph: Graph, found: list[NamedModel]) -> Graph:
    edits = rebinding(graph, CATALOG, names_found(found))
    return Compound(edits).apply(graph)[0] if edits else graph


def named(graph: Graph) -> list[str]:
    return [row["file"] for row in graph.nodes["loras"].params["loras"]]


def test_a_library_that_was_shuffled_and_renamed_is_found_again(tmp_path: Path) -> None:
    count, root = 1000, tmp_path / "models"
    order = random.Random(7).sample(range(count), count)
    facts, truth = {}, {}
    kinds = ("sha256", "autov2", "autov3", "blake3", "crc32")
    for number in range(count):
        # Half of them have the name that another one had; the rest were named anew.
        place = f"{order[number] % 7}/{f'n{order[number]}' if number % 2 else f'x{number}'}"
        path = tiny(root / "loras" / f"{place}.safetensors", number)
        kind = kinds[number % len(kinds)]
        facts[f"n{number}.safetensors"] = {kind: hashes(path, every=True)[kind].upper()}
        truth[f"n{number}.safetensors"] = f"{place}.safetensors"
    graph = loras(*truth, **facts)
    after = rebound(graph, look(graph, root))
    given = list(zip(truth.values(), named(after), strict=True))
    assert sum(wanted == is_now for wanted, is_now in given) >= 0.99 * count
    for (wanted, is_now), before in zip(given, truth, strict=True):
        # No wrong one: what is not found keeps its name, and is told of.
        assert is_now in (wanted, before)
    assert look(after, root) == []


def test_of_two_files_of_one_name_the_hash_tells_which(tmp_path: Path) -> None:
    here = tiny(tmp_path / "loras" / "a" / "mane.safetensors", 1)
    there = tiny(tmp_path / "loras" / "b" / "mane.safetensors", 2)
    for path in (here, there):
        facts = {"autov3": hashes(path)["autov3"]}
        graph = loras("mane.safetensors", **{"mane.safetensors": facts})
        (found,) = look(graph, tmp_path)
        assert found.found is not None
        assert found.found.path == path
        assert found.found.same
    # Without one neither is taken.
    (found,) = look(loras("mane.safetensors"), tmp_path)
    assert found.found is None


def test_a_file_of_the_right_name_and_another_hash_is_told(tmp_path: Path) -> None:
    there = tiny(tmp_path / "loras" / "mane.safetensors", 1)
    meant = {"sha256": "ab" * 32, "url": "https://example.org/mane"}
    graph = loras("mane.safetensors", **{"mane.safetensors": meant})
    (told,) = look(graph, tmp_path)
    assert told.found is None
    assert told.other == ("sha256", hashes(there)["sha256"])
    assert told.wanted == ("sha256", "ab" * 32)
    assert told.page == "https://example.org/mane"
    # The one that is meant lies elsewhere.
    right = tiny(tmp_path / "loras" / "other" / "tail.safetensors", 2)
    graph = loras("mane.safetensors", **{"mane.safetensors": {"sha256": hashes(right)["sha256"]}})
    (told,) = look(graph, tmp_path)
    assert told.found is not None
    assert told.found.name == "other/tail.safetensors"
    # And a file of the same name in another folder, whose hash is another, is not taken either.
    (told,) = look(loras("x/mane.safetensors", **{"x/mane.safetensors": meant}), tmp_path)
    assert told.found is None


def test_names_that_were_swapped_are_swapped_back(tmp_path: Path) -> None:
    first = tiny(tmp_path / "loras" / "a.safetensors", 1)
    second = tiny(tmp_path / "loras" / "b.safetensors", 2)
    facts = {
        "a.safetensors": {"sha256": hashes(second)["sha256"]},
        "b.safetensors": {"sha256": hashes(first)["sha256"]},
    }
    graph = loras("a.safetensors", "b.safetensors", "a.safetensors", **facts)
    after = rebound(graph, look(graph, tmp_path))
    assert named(after) == ["b.safetensors", "a.safetensors", "b.safetensors"]
    assert after.models["a.safetensors"]["sha256"] == hashes(first)["sha256"]
    assert look(after, tmp_path) == []


def test_without_a_hash_the_file_name_tells_in_any_folder_and_spelling(tmp_path: Path) -> None:
    tiny(tmp_path / "loras" / "sd1" / "MÄNE.safetensors", 1)
    (told,) = look(loras("old\\ma\u0308ne.ckpt"), tmp_path)
    assert told.found is not None
    assert told.found.name == "sd1/MÄNE.safetensors"
    assert not told.found.same


def test_a_near_name_is_never_taken(tmp_path: Path) -> None:
    tiny(tmp_path / "checkpoints" / "starter.safetensors", 1)
    tiny(tmp_path / "loras" / "mane_v2.safetensors", 2)
    (told,) = look(loras("mane_v1.safetensors"), tmp_path)
    assert told.found is None
    node = Node("c", "core.load_checkpoint", params={"file": "aura_flow_0.1.safetensors"})
    (told,) = look(Graph.of(node), tmp_path)
    assert told.found is None


def test_a_file_in_a_folder_of_another_kind_is_found_by_its_hash(tmp_path: Path) -> None:
    path = tiny(tmp_path / "diffusion_models" / "x.safetensors", 1)
    node = Node("c", "core.load_checkpoint", params={"file": "y.safetensors"})
    facts = {"y.safetensors": {"kind": "checkpoints", "sha256": hashes(path)["sha256"]}}
    (told,) = look(Graph({"c": node}, models=facts), tmp_path)
    assert told.found is not None
    assert told.found.name == path.as_posix()


def test_what_is_said_of_a_file_of_another_kind_does_not_count(tmp_path: Path) -> None:
    path = tiny(tmp_path / "loras" / "x.safetensors", 1)
    facts = {"mane": {"kind": "checkpoints", "sha256": hashes(path)["sha256"]}}
    graph = loras("mane")
    (told,) = look(Graph(graph.nodes, models=facts), tmp_path)
    assert told.found is None


def test_short_hashes_that_several_files_have_tell_none(tmp_path: Path) -> None:
    first = tiny(tmp_path / "loras" / "a.safetensors", 1)
    tiny(tmp_path / "loras" / "b.safetensors", 2)
    # Both are shorter than what AutoV1 is made of.
    graph = loras("c.safetensors", **{"c.safetensors": {"autov1": hashes(first)["autov1"]}})
    (told,) = look(graph, tmp_path)
    assert told.found is None


def test_hashes_are_kept_for_all_processes_and_change_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_id, "YOUNG_NS", 0)
    path = tiny(tmp_path / "loras" / "x.safetensors", 1)
    graph = loras("y.safetensors", **{"y.safetensors": {"sha256": hashes(path)["sha256"]}})
    folders, seen = ModelFolders([tmp_path]), []

    def progress(done: int, whole: int) -> None:
        seen.append(done)

    with ModelIndex(tmp_path / "one.db") as index:
        (told,) = ModelSearch(folders, index).look(graph, CATALOG, progress=progress)
        assert told.found is not None
        assert seen
    seen.clear()
    with ModelIndex(tmp_path / "one.db") as index:
        (told,) = ModelSearch(folders, index).look(graph, CATALOG, progress=progress)
        assert told.found is not None
        assert not seen
        tiny(path, 2)
        (told,) = ModelSearch(folders, index).look(graph, CATALOG, progress=progress)
        assert told.found is None
        assert seen


def test_reading_begins_with_small_files_and_can_be_cancelled(tmp_path: Path) -> None:
    tiny(tmp_path / "loras" / "large.safetensors", 1, 4096)
    tiny(tmp_path / "loras" / "small.safetensors", 2)
    search = ModelSearch(ModelFolders([tmp_path]))
    assert search.read(most=1000) > 4096  # the large one is left
    seen: list[int] = []

    def cancel(done: int, whole: int) -> None:
        seen.append(done)
        raise Cancelled

    with pytest.raises(Cancelled):
        ModelSearch(ModelFolders([tmp_path])).read(progress=cancel)
    assert len(seen) == 1
    assert seen[0] < 1000


def test_files_that_are_there_and_say_nothing_are_not_read(tmp_path: Path) -> None:
    tiny(tmp_path / "loras" / "x.safetensors", 1)

    def never(done: int, whole: int) -> None:
        raise AssertionError

    progress: Callable[[int, int], object] = never
    assert look(loras("x.safetensors"), tmp_path, progress=progress) == []
