"""Files that want to harm: to run something, to fill the memory, to take for ever, to mislead.

`FILES` names each and says how to write it; every one of those that run something would, if
Python's own unpickler read it, leave a file called CANARY in the current folder.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

from helpers import pickle_writer as p

CANARY = "canary"
COMMAND = f"touch {CANARY}"
CODE = f"open({CANARY!r}, 'w')"
TENSOR = p.dictionary(weight=p.tensor())
NUMBERS = struct.pack("<4f", 1, 2, 3, 4)


def torch_zip(
    content: bytes,
    *,
    root: str = "archive",
    data: bytes = NUMBERS,
    compression: int = zipfile.ZIP_STORED,
    extra: Mapping[str, bytes] | None = None,
) -> bytes:
    """What torch.save would have written around this pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr(f"{root}/data.pkl", content)
        archive.writestr(f"{root}/data/0", data)
        for name, value in (extra or {}).items():
            archive.writestr(name, value)
    return buffer.getvalue()


def torch_legacy(
    content: bytes,
    *,
    keys: list[Any] | None = None,
    system: Mapping[str, Any] | None = None,
    protocol: int = 1001,
    numel: int = 4,
    data: bytes = NUMBERS,
) -> bytes:
    system = {"protocol_version": 1001, "little_endian": True} if system is None else system
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, protocol, dict(system))]
    tail = pickle.dumps(["0"] if keys is None else keys, 2)
    return b"".join(head) + content + tail + struct.pack("<q", numel) + data


def safetensors(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(start: int = 0, end: int = 16, dtype: Any = "F32", shape: Any = (4,)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _calls() -> dict[str, bytes]:
    """Programmes: pickles that call something when they are read as they were meant."""
    command, code = p.text(COMMAND), p.text(CODE)
    evil_global = p.name("os", "system")
    nested = pickle.dumps({"innocent": 1})
    return {
        "os.system": p.pickle_of(p.call(evil_global, command)),
        "posix.system": p.pickle_of(p.call(p.name("posix", "system"), command)),
        "nt.system": p.pickle_of(p.call(p.name("nt", "system"), command)),
        "subprocess": p.pickle_of(
            p.call(p.name("subprocess", "check_output"), b"]" + p.text("touch") + b"a")
        ),
        "eval": p.pickle_of(p.call(p.name("builtins", "eval"), code)),
        "exec": p.pickle_of(p.call(p.name("builtins", "exec"), code)),
        "eval of Python 2": p.pickle_of(p.call(p.name("__builtin__", "eval"), code)),
        "getattr": p.pickle_of(
            p.call(p.name("builtins", "getattr"), p.name("builtins", "dict"), p.text("fromkeys"))
        ),
        "getattr of Python 2": p.pickle_of(
            p.call(p.name("__builtin__", "getattr"), p.name("collections", "OrderedDict"), code)
        ),
        "import": p.pickle_of(p.call(p.name("importlib", "import_module"), p.text("antigravity"))),
        "__import__": p.pickle_of(p.call(p.name("builtins", "__import__"), p.text("this"))),
        "open": p.pickle_of(p.call(p.name("builtins", "open"), p.text(CANARY), p.text("w"))),
        "runpy": p.pickle_of(p.call(p.name("runpy", "_run_code"), code, b"}")),
        "webbrowser": p.pickle_of(p.call(p.name("webbrowser", "open"), p.text("file:///"))),
        "code": p.pickle_of(p.call(p.name("types", "CodeType"), code)),
        "function": p.pickle_of(p.call(p.name("types", "FunctionType"), code, b"}")),
        "partial": p.pickle_of(p.call(p.name("functools", "partial"), evil_global, command)),
        "attrgetter": p.pickle_of(p.call(p.name("operator", "attrgetter"), p.text("system"))),
        "numpy's runstring": p.pickle_of(
            p.call(p.name("numpy.testing._private.utils", "runstring"), code, b"}")
        ),
        "torch.load within": p.pickle_of(p.call(p.name("torch", "load"), p.text("other.pt"))),
        "torch.load, long name": p.pickle_of(
            p.call(p.name("torch.serialization", "load"), p.text("other.pt"))
        ),
        "storage from bytes": p.pickle_of(
            p.call(p.name("torch.storage", "_load_from_bytes"), b"C\x04oops")
        ),
        "pickle.loads": p.pickle_of(
            p.call(p.name("pickle", "loads"), b"B" + struct.pack("<I", len(nested)) + nested)
        ),
        "copyreg": p.pickle_of(
            p.call(
                p.name("copyreg", "_reconstructor"),
                p.name("subprocess", "Popen"),
                p.name("builtins", "object"),
                b"N",
            )
        ),
        "stack global": p.pickle_of(
            p.call(p.stack_name("os", "system"), p.short_text(COMMAND)), p.PROTOCOL_4
        ),
        "stack global from the memo": p.pickle_of(
            _memo_name() + p.tuple_of([command]) + b"R", p.PROTOCOL_4
        ),
        "dotted stack global": p.pickle_of(
            p.call(
                p.stack_name("collections", "OrderedDict.__init__.__globals__.__getitem__"),
                p.short_text("_sys"),
            ),
            p.PROTOCOL_4,
        ),
        "framed": p.pickle_of(
            b"\x95" + struct.pack("<Q", 30) + p.call(p.stack_name("os", "system"), command),
            p.PROTOCOL_4,
        ),
        "inst": p.pickle_of(p.MARK + command + b"ios\nsystem\n"),
        "obj": p.pickle_of(p.MARK + evil_global + command + b"o"),
        "ext1": p.pickle_of(b"\x82\x01" + p.tuple_of([command]) + b"R"),
        "ext2": p.pickle_of(b"\x83\x01\x00" + p.tuple_of([command]) + b"R"),
        "ext4": p.pickle_of(b"\x84\x01\x00\x00\x00" + p.tuple_of([command]) + b"R"),
        "new object": p.pickle_of(p.name("subprocess", "Popen") + p.tuple_of([command]) + p.NEWOBJ),
        "new object with keywords": p.pickle_of(
            p.stack_name("subprocess", "Popen") + p.tuple_of([command]) + b"}\x92", p.PROTOCOL_4
        ),
        "protocol 0": f"cos\nsystem\n(S'{COMMAND}'\ntR.".encode(),
        "state for a function": p.pickle_of(
            p.name("torch._utils", "_rebuild_tensor_v2") + b"}" + code + code + b"s" + p.BUILD
        ),
        "state for a class": p.pickle_of(
            p.name("collections", "OrderedDict") + p.dictionary(__reduce__=evil_global) + p.BUILD
        ),
        "attributes for a class": p.pickle_of(
            p.name("collections", "OrderedDict")
            + p.tuple_of([b"N", p.dictionary(__len__=code)])
            + p.BUILD
        ),
        "call of a text": p.pickle_of(p.text("os.system") + p.tuple_of([command]) + p.REDUCE),
        "call of a record": p.pickle_of(
            p.call(p.name("numpy", "dtype"), command) + p.tuple_of([command]) + p.REDUCE
        ),
        "tensor of another making": p.pickle_of(
            p.call(
                p.name("torch._tensor", "_rebuild_from_type_v2"),
                p.name("collections", "OrderedDict"),
                p.name("torch.nn.parameter", "Parameter"),
                p.tuple_of([command]),
                b"}",
            )
        ),
        "default factory": p.pickle_of(
            p.call(p.name("collections", "defaultdict"), p.name("os", "getcwd"))
        ),
        "two lines in a name": p.pickle_of(p.call(b"cos\r\nsystem\n", command)),
        "evil behind a tensor": p.pickle_of(
            p.dictionary(weight=p.tensor(), more=p.call(evil_global, command))
        ),
        "evil as a key": p.pickle_of(b"}" + p.call(evil_global, command) + p.number(1) + b"s"),
        "evil in a persistent id": p.pickle_of(p.call(evil_global, command) + b"Q"),
        "source of a module": p.pickle_of(
            p.tuple_of([p.text("module"), evil_global, p.text("file.py"), code, b"N"]) + b"Q"
        ),
        "lightning in disguise": p.pickle_of(
            p.call(p.name("pytorch_lightning.os", "system"), command)
        ),
    }


def _memo_name() -> bytes:
    """os.system, its two halves put into the memo long before they are joined."""
    return (
        p.short_text("os")
        + b"\x94"
        + p.short_text("system")
        + b"\x94\x85\x85"  # wrapped away in tuples
        + b"h\x00h\x01\x93"
    )


def _bombs() -> dict[str, bytes]:
    """Pickles that want all the memory, or all the time there is."""
    laughs = b"}q\x00" + b"".join(
        b"}" + p.text("a") + b"h" + bytes([n]) + b"s" + p.text("b") + b"h" + bytes([n]) + b"s"
        b"q" + bytes([n + 1])
        for n in range(100)
    )
    tuples = b")" + b"".join(b"q" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(100))
    # A list of ten lists of ten lists ...: its text would have 10¹² characters.
    lists = (
        b"]"
        + p.number(1)
        + b"aq\x00"
        + b"".join(b"](" + (b"h" + bytes([n])) * 10 + b"eq" + bytes([n + 1]) for n in range(12))
    )
    same_hash = b"".join(p.number(n * (2**61 - 1)) + b"N" for n in range(1, 30_000))
    huge = struct.pack("<Q", 1 << 62)
    return {
        "memo far out": p.pickle_of(b"Nr\xff\xff\xff\x7f" + TENSOR),
        "text of 4 EiB": p.pickle_of(b"\x8d" + huge, p.PROTOCOL_4),
        "bytes of 4 EiB": p.pickle_of(b"\x8e" + huge, p.PROTOCOL_4),
        "bytearray of 4 EiB": p.pickle_of(b"\x96" + huge, b"\x80\x05"),
        "text of 4 GiB": p.pickle_of(b"X\xff\xff\xff\xff"),
        "long of 2 GiB": p.pickle_of(b"\x8b\xff\xff\xff\x7f"),
        "billion laughs": p.pickle_of(laughs),
        "tuples as a key": p.pickle_of(b"}" + tuples + p.number(1) + b"s"),
        "lists as a name": p.pickle_of(lists + p.text("a") + b"\x93"),
        "numbers as keys": p.pickle_of(b"}(" + same_hash + b"u"),
        "one long list many times": p.pickle_of(
            b"](" + b"N" * 200_000 + b"eq\x00](" + b"h\x00" * 100_000 + b"e"
        ),
        "one long name many times": p.pickle_of(
            p.tensor() + b"q\x00" + p.text("a" * 900_000) + b"q\x01"
            b"](" + b"}h\x01h\x00s" * 2000 + b"e"
        ),
        "deep lists": p.pickle_of(b"]" * 100_000 + b"a" * 99_999),
        "list in itself": p.pickle_of(b"]q\x00h\x00a"),
        "dictionary in itself": p.pickle_of(
            b"}q\x00" + p.text("a") + b"h\x00s" + p.text("state_dict") + b"h\x00s"
        ),
        "no end": p.PROTOCOL_2 + b"N" * 3_000_000,
        "endless name": p.pickle_of(b"c" + b"a" * 100_000),
        "expanded tensor": p.pickle_of(p.dictionary(weight=p.tensor((1 << 40,), (0,)))),
        "tensor beyond its storage": p.pickle_of(p.dictionary(weight=p.tensor((5,), (1,)))),
        "offset beyond its storage": p.pickle_of(p.dictionary(weight=p.tensor((4,), (1,), 1))),
        "strides beyond its storage": p.pickle_of(p.dictionary(weight=p.tensor((2,), (4,)))),
        "negative stride": p.pickle_of(p.dictionary(weight=p.tensor((2,), (-1,), 1))),
        "negative offset": p.pickle_of(p.dictionary(weight=p.tensor((4,), (1,), -1))),
        "huge shape": p.pickle_of(p.dictionary(weight=p.tensor((1 << 62,) * 9, (1,) * 9))),
        "many dimensions": p.pickle_of(p.dictionary(weight=p.tensor((1,) * 1000, (1,) * 1000))),
        "storage beyond the file": p.pickle_of(
            p.dictionary(weight=p.tensor((4,), (1,), source=p.storage(numel=1 << 40)))
        ),
        "storage of another size": p.pickle_of(
            p.dictionary(
                a=p.tensor(source=p.storage()), b=p.tensor(source=p.storage(kind="DoubleStorage"))
            )
        ),
        "storage without entry": p.pickle_of(
            p.dictionary(weight=p.tensor(source=p.storage("../../etc/passwd")))
        ),
        "tensor without storage": p.pickle_of(p.dictionary(weight=p.tensor(source=p.text("0")))),
        "empty stack": p.pickle_of(p.REDUCE),
        "no mark": p.pickle_of(b"t"),
        "nothing": p.pickle_of(b""),
        "unknown opcode": p.pickle_of(b"\xff"),
        "pop": p.pickle_of(b"N0"),
        "memo without entry": p.pickle_of(b"h\x09"),
        "out of band": p.pickle_of(b"\x97", b"\x80\x05"),
        "pairs that are none": p.pickle_of(
            p.call(p.name("collections", "OrderedDict"), b"]" + p.number(1) + b"a")
        ),
        "not UTF-8": p.pickle_of(b"c\xff\xfe\nx\n"),
    }


def _archives() -> dict[str, bytes]:
    """Zip files that are not what they seem, around a harmless pickle."""
    good = p.pickle_of(TENSOR)
    whole = torch_zip(good)
    end = whole.rindex(b"PK\x05\x06")
    directory = whole.index(b"PK\x01\x02")
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that the name is there already: so it shall be
        for content in (good, p.pickle_of(p.call(p.name("os", "system"), p.text(COMMAND)))):
            with archive.open(zipfile.ZipInfo("archive/data.pkl"), "w") as file:
                file.write(content)
    return {
        "compressed": torch_zip(good, compression=zipfile.ZIP_DEFLATED, data=bytes(1 << 20)),
        "compressed as 7-Zip does": torch_zip(good, compression=zipfile.ZIP_LZMA),
        "encrypted": _patched(whole, directory + 8, b"\x01\x00"),
        "entry twice": twice.getvalue(),
        "path upwards": torch_zip(good, root="../../outside"),
        "absolute path": torch_zip(good, root="/outside"),
        "path of Windows": torch_zip(good, extra={"archive\\..\\evil": b""}),
        "two models": torch_zip(good, extra={"other/data.pkl": good}),
        "no model": torch_zip(good).replace(b"data.pkl", b"data.txt"),
        "script": torch_zip(good, extra={"archive/code/run.py": CODE.encode()}),
        "script's constants": torch_zip(good, extra={"archive/constants.pkl": good}),
        "big-endian": torch_zip(good, extra={"archive/byteorder": b"big"}),
        "short storage": torch_zip(good, data=NUMBERS[:8]),
        "cut in half": whole[: len(whole) // 2],
        "without its end": whole[:end],
        "only an end": whole[end:],
        "end that lies on the count": _patched(whole, end + 10, b"\xff\xff"),
        "end that lies on the place": _patched(whole, end + 16, b"\xf0\xff\xff\x7f"),
        "end that lies on the length": _patched(whole, end + 12, b"\xff\xff\xff\xff"),
        "entry beyond the file": _patched(whole, directory + 42, b"\xf0\xff\xff\x7f"),
        "entry too long": _patched(whole, directory + 20, struct.pack("<LL", 1 << 30, 1 << 30)),
        "other name inside": _patched(whole, 30, b"A"),
        "compressed inside": _patched(whole, 8, b"\x08\x00"),
        "archive of an archive": torch_zip(whole),
    }


def _lists_in_lists(depth: int) -> list[Any]:
    """Whose text would have 10^depth characters."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value] * 10
    return value


def _legacy() -> dict[str, bytes]:
    """Files of torch before 1.6 that do not add up."""
    good = p.pickle_of(TENSOR)
    whole = torch_legacy(good)
    return {
        "count that lies": torch_legacy(good, numel=5),
        "negative count": torch_legacy(good, numel=-1),
        "key unknown": torch_legacy(good, keys=["1"]),
        "keys too many": torch_legacy(good, keys=["0", "1"]),
        "keys that are none": torch_legacy(good, keys=[["0"]]),
        "keys of lists": torch_legacy(good, keys=[_lists_in_lists(12)]),
        "big-endian": torch_legacy(good, system={"little_endian": False}),
        "no word on the machine": torch_legacy(good, system={}),
        "other protocol": torch_legacy(good, protocol=1002),
        "numbers missing": whole[:-8],
        "cut in half": whole[: len(whole) // 2],
        "only its magic": whole[:20],
    }


def _headers() -> dict[str, bytes]:
    """Malformed .safetensors."""
    body = bytes(16)
    good = safetensors({"a": entry()}, body)
    return {
        "longer than the file": safetensors({"a": entry()}, body, length=1 << 20),
        "length impossible": safetensors({"a": entry()}, body, length=1 << 63),
        "cut in its header": good[:20],
        "cut in its body": good[:-1],
        "nine bytes": good[:9],
        "no JSON": safetensors(b"{" + b"x" * 30, body),
        "JSON too deep": safetensors(b'{"a":' + b"[" * 100_000, body),
        "lists without end": safetensors(b'{"a":[' + b"[]," * 1_100_000 + b"[]]}", body),
        "number too long": safetensors(b'{"a":' + b"9" * 100_000 + b"}", body),
        "not UTF-8": safetensors(b'{"\xff": 1}', body),
        "name twice": safetensors(b'{"a":%b,"a":%b}' % ((json.dumps(entry()).encode(),) * 2), body),
        "overlap": safetensors({"a": entry(), "b": entry(8, 24)}, bytes(24)),
        "same place": safetensors({"a": entry(), "b": entry()}, body),
        "gap": safetensors({"a": entry(), "b": entry(32, 48)}, bytes(48)),
        "starts late": safetensors({"a": entry(16, 32)}, bytes(32)),
        "bytes left over": safetensors({"a": entry()}, bytes(32)),
        "end before start": safetensors({"a": entry(16, 0)}, body),
        "beyond the file": safetensors({"a": entry(0, 1 << 40, shape=[1 << 38])}, body),
        "size and shape differ": safetensors({"a": entry(shape=[5])}, body),
        "negative shape": safetensors({"a": entry(shape=[-2, -2])}, body),
        "shape of fractions": safetensors({"a": entry(shape=[4.0])}, body),
        "shape of truths": safetensors({"a": entry(0, 4, shape=[True])}, body[:4]),
        "shape of many digits": safetensors(
            b'{"a":%b}' % json.dumps(entry(shape=[int("9" * 4000)] * 9)).encode(), body
        ),
        "embedding without width": safetensors({"emb_params": entry(0, 4, shape=[])}, body[:4]),
        "shape that overflows": safetensors({"a": entry(shape=[1 << 62, 1 << 62, 4])}, body),
        "many dimensions": safetensors({"a": entry(0, 4, shape=[1] * 1000)}, body[:4]),
        "unknown numbers": safetensors({"a": entry(dtype="F13")}, body),
        "numbers of no name": safetensors({"a": entry(dtype=["F32"])}, body),
        "entry without shape": safetensors({"a": {"dtype": "F32", "data_offsets": [0, 16]}}, body),
        "entry that is none": safetensors({"a": 1}, body),
        "metadata that is none": safetensors({"__metadata__": [1], "a": entry()}, body),
        "half a character": safetensors(b'{"\\ud800":%b}' % json.dumps(entry()).encode(), body),
        "no tensors": safetensors({"__metadata__": {"format": "pt"}}),
    }


def _strangers() -> dict[str, bytes]:
    """Files that are no weights at all."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return {
        "empty": b"",
        "one byte": b"\x80",
        "zeros": bytes(4096),
        "noise": bytes((i * 7919 + i**2 * 31) % 251 for i in range(4096)),
        "text": b"this is no model, it says\n" * 50,
        "text of the world": "Einhörner über alles 🦄\n".encode() * 100,
        "JSON": json.dumps({"nodes": {}}).encode(),
        "web page": b"<!DOCTYPE html><html><body>Please sign in</body></html>",
        "web page, late": b"\xef\xbb\xbf \n<html><head></head></html>",
        "git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n",
        "GGUF": b"GGUF" + bytes(100),
        "gzip": gzip.compress(bytes(4096)),
        "7z": b"7z\xbc\xaf\x27\x1c" + bytes(100),
        "tar": tar.getvalue(),
        "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "pickle of a dictionary": pickle.dumps({"a": 1}, 2),
        "pickle of numpy": pickle.dumps([1.0, 2.0], 4),
    }


def _patched(data: bytes, at: int, change: bytes) -> bytes:
    return data[:at] + change + data[at + len(change) :]


def _files() -> dict[str, bytes]:
    pickles = {**_calls(), **_bombs()}
    groups: dict[str, dict[str, bytes]] = {
        "zip": {name: torch_zip(content) for name, content in pickles.items()},
        "legacy": {name: torch_legacy(content) for name, content in pickles.items()},
        "bare": _calls(),
        "archive": _archives(),
        "old archive": _legacy(),
        "safetensors": _headers(),
        "stranger": _strangers(),
    }
    return {
        f"{group}: {name}": content
        for group, files in groups.items()
        for name, content in files.items()
    }


FILES: Mapping[str, bytes] = _files()
# Pickles that, read by Python itself, would leave the canary.
LIVE = (
    "os.system",
    "posix.system",
    "eval",
    "exec",
    "open",
    "stack global",
    "inst",
    "obj",
    "protocol 0",
)
LIVE_PICKLES: Mapping[str, bytes] = {name: _calls()[name] for name in LIVE}
