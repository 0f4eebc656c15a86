"""Edits at random, fitting and unfitting ones, for what must hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from ponystudio.graph.editing.edits import (
    REMOVED,
    AddNode,
    Compound,
    Connect,
    Disconnect,
    RemoveNode,
    RenameNode,
    ReplaceNode,
    SetMode,
    SetParam,
    SetTitle,
    SetView,
)
from ponystudio.graph.model import Link, Node

IDS = st.sampled_from(["load", "text", "sample", "save", "new", "other", "2bad"])
NAMES = st.sampled_from(["seed", "text", "clip", "positive", "latent"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=3), st.just(REMOVED)
)
POSITIONS = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(list)
KEYS = st.one_of(st.sampled_from(["nodes", "frames", "load", "new", "pos"]), st.integers(-1, 2))
NODES = st.builds(
    lambda id, params, source: Node(id, "t.x", params=params, inputs={"in": Link(source, "out")}),
    IDS,
    st.dictionaries(NAMES, st.integers(0, 3), max_size=2),
    IDS,
)
SIMPLE = st.one_of(
    st.builds(AddNode, NODES, st.one_of(st.just({}), POSITIONS.map(lambda at: {"pos": at}))),
    st.builds(ReplaceNode, NODES),
    st.builds(RemoveNode, IDS),
    st.builds(RenameNode, IDS, IDS),
    st.builds(SetParam, IDS, NAMES, VALUES),
    st.builds(Connect, IDS, NAMES, IDS, NAMES),
    st.builds(Disconnect, IDS, NAMES),
    st.builds(SetMode, IDS, st.sampled_from(["normal", "muted", "bypassed"])),
    st.builds(SetTitle, IDS, st.text(max_size=4)),
    st.builds(
        SetView,
        st.lists(KEYS, max_size=4).map(tuple),
        st.one_of(VALUES, POSITIONS, st.just({}), st.just([])),
    ),
)
EDITS = st.one_of(SIMPLE, st.lists(SIMPLE, max_size=3).map(Compound))
