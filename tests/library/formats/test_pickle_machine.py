from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ponystudio.errors import DamagedFile, UnsafeFile
from ponystudio.library.formats.pickle_machine import Global, InertObject, read_pickle
from ponystudio.library.formats.torch_pickles import TorchNames

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.binary(max_size=40)
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.text(max_size=9) | st.integers(-(2**60) + 1, 2**60 - 1), inner, max_size=5
        )
    ),
    max_leaves=20,
)


def read(data: bytes) -> Any:
    content, length = read_pickle(memoryview(data), TorchNames("file"), "file")
    assert length == len(data)
    return content


@given(PLAIN, st.sampled_from([3, 4, 5]))
def test_reads_what_python_wrote(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@given(st.binary(max_size=200))
def test_noise_is_refused_or_read(noise: bytes) -> None:
    try:
        read_pickle(memoryview(b"\x80\x02" + noise + b"."), TorchNames("file"), "file")
    except (UnsafeFile, DamagedFile):
        pass


def test_shared_values_stay_shared() -> None:
    inner: list[Any] = [1]
    content = read(pickle.dumps({"a": inner, "b": inner}, 2))
    assert content["a"] is content["b"]


def test_ordered_dictionaries_become_plain_ones() -> None:
    content = read(pickle.dumps(OrderedDict(b=1, a=2), 2))
    assert type(content) is dict
    assert list(content.items()) == [("b", 1), ("a", 2)]


def test_what_comes_after_is_not_read() -> None:
    data = pickle.dumps([1], 2) + b"more"
    assert read_pickle(memoryview(data), TorchNames("file"), "file") == ([1], len(data) - 4)


def test_known_names_are_only_texts() -> None:
    content = read(b"\x80\x02cpytorch_lightning.callbacks\nEarlyStopping\n.")
    assert content == Global("pytorch_lightning.callbacks.EarlyStopping")
    assert not callable(content)


def test_ignored_objects_are_inert() -> None:
    content = read(b"\x80\x02cnumpy\ndtype\n(X\x02\x00\x00\x00f4tR}b.")
    assert isinstance(content, InertObject)
    assert not callable(content)


def test_the_name_is_in_the_error() -> None:
    with pytest.raises(UnsafeFile, match=r"os\.system") as caught:
        read(b"\x80\x02cos\nsystem\n.")
    assert caught.value.where == "file"


def test_keys_that_could_share_a_hash_are_refused() -> None:
    """Of tuples there are as many with one hash as a file likes."""
    with pytest.raises(UnsafeFile, match="key of a dictionary"):
        read(pickle.dumps({(1, 2): 3}, 2))
