import pytest
import torch

from ponystudio.api import Area, Conditioning, Entry, Image, Latent, Model, Patch
from ponystudio.engine.cache.result_codec import Damaged, NotStorable, decode, encode

VALUES = [
    None,
    True,
    7,
    2**64 - 1,
    0.1,
    "žluť",
    Image(torch.rand(2, 3, 5, 7)),
    Latent(torch.randn(1, 4, 3, 2).bfloat16(), "sd1", torch.ones(1, 1, 8, 8)),
    Conditioning((Entry(torch.randn(1, 77, 4), area=Area(0, 0, 64, 64)),), "sd1"),
    Model("/a/b", "1234", "sd1", (Patch("/l", "56", 0.5),), (("ema", True),)),
    [torch.arange(3), (torch.zeros(0), "x", 1)],
    torch.ones(4, 4)[:, ::2],
    torch.tensor(3.5),
]


def same(a, b):
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(
            same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__
        )
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back_as_they_were(value):
    found, about = decode(encode(value, {"key": "k"}))
    assert same(value, found)
    assert about == {"key": "k"}


class Own:
    pass


@pytest.mark.parametrize("value", [Own(), {1: 2}, [Own()], torch.eye(2).to_sparse(), b"x"])
def test_values_that_only_a_pack_knows_are_not_stored(value):
    with pytest.raises(NotStorable):
        encode(value, {})


def test_a_class_of_the_same_name_is_not_taken_for_ours():
    impostor = type("Image", (), {"pixels": 1})()
    with pytest.raises(NotStorable):
        encode(impostor, {})


GOOD = encode(Image(torch.rand(1, 3, 8, 8)), {"key": "k"})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:4],
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
        GOOD.replace(b"ponystudio.result 2", b"ponystudio.result 9"),
        GOOD.replace(b"$value", b"$valve"),
        b"\x80\x04cos\nsystem\n",
        bytes(1000),
    ],
)
def test_torn_and_foreign_bytes_are_known_as_such(data):
    with pytest.raises(Damaged):
        decode(data)


def test_no_byte_can_change_unnoticed():
    value = (Image(torch.arange(12.0).reshape(1, 3, 2, 2)), 12.5, "a word", [3, True, None])
    data = encode(value, {"key": "aa11", "seconds": "1.5"})
    unnoticed = []
    for at in range(len(data)):
        for bit in (1, 16):
            changed = bytearray(data)
            changed[at] ^= bit
            try:
                found, about = decode(bytes(changed))
            except Damaged:
                continue
            same = repr(found) == repr(value) and about == {"key": "aa11", "seconds": "1.5"}
            if not same:
                unnoticed.append((at, bit))
    assert unnoticed == []
