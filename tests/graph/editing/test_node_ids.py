"""Ids for new nodes."""

import pytest

from ponystudio.graph.editing.node_ids import free_id, fresh_id, fresh_ids, slug


@pytest.mark.parametrize(
    ("type", "taken", "id"),
    [
        ("core.sample", (), "sampler"),
        ("core.sample", ("sampler",), "sampler_2"),
        ("core.sample", ("sampler", "sampler_2"), "sampler_3"),
        ("mypack.Face Fix+", (), "face_fix"),
        ("mypack.3d", (), "node_3d"),
        ("日本", (), "node"),
    ],
)
def test_a_new_node_has_a_readable_id(type, taken, id):
    assert fresh_id(type, taken) == id


def test_a_number_is_counted_on_not_added():
    assert free_id("sampler_2", {"sampler_2"}) == "sampler_3"
    assert free_id("a_9", {"a_9", "a_10"}) == "a_11"


def test_copies_keep_their_ids_where_free_and_never_share_one():
    names = fresh_ids(["a", "b", "a_2"], {"a"})
    assert names == {"a": "a_2", "b": "b", "a_2": "a_3"}


def test_a_slug_is_an_id():
    assert slug("  Load VAE ") == "load_vae"
    assert slug("--") == "node"
