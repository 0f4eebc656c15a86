"""What a file is that is no file of weights, said as plainly as it can be."""

from __future__ import annotations

import codecs

from ponystudio.errors import DamagedFile, ModelFileError, UnknownModel, UnsupportedModel
from ponystudio.library.formats.pickle_machine import read_pickle
from ponystudio.library.formats.torch_pickles import TorchNames

AGAIN = "Download it again."
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")
ARCHIVES = (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")
PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head")


def refuse(data: memoryview, where: str) -> ModelFileError:
    """The error for a file that is neither safetensors nor GGUF nor a pickle of torch's."""
    head = bytes(data[:512])
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(PAGES):
        return UnknownModel(
            "This is a web page that was saved under the name of a model.",
            where=where,
            remedy="Download it again, signed in if the site asks for that.",
        )
    if head.startswith(b"version https://git-lfs"):
        return UnknownModel(
            "This is only a pointer to a model in git-lfs.", where=where, remedy="Fetch the model."
        )
    if head.startswith(b"PK"):
        return DamagedFile("The archive is cut short or damaged.", where=where, remedy=AGAIN)
    if head.startswith(ARCHIVES):
        return UnsupportedModel(
            "This is a compressed archive.",
            where=where,
            remedy="Unpack it and choose the model file inside.",
        )
    if head[257:262] == b"ustar":
        return UnsupportedModel(
            "This is a tar archive or a file of a torch older than 0.1.10, which is not read.",
            where=where,
        )
    if head.startswith(PICTURES):
        return UnknownModel("This is a picture, not a model.", where=where)
    if head.startswith(b"\x80") and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return _bare_pickle(data, where)
    if head[8:9] == b"{" and not _is_text(head):
        return DamagedFile("The header of this file has an impossible length.", where=where)
    if not any(head):
        return DamagedFile("The file holds nothing but zeros.", where=where, remedy=AGAIN)
    if _is_text(head):
        return UnknownModel("This is a text file, not a model.", where=where)
    return UnknownModel("This is no file of weights that is known here.", where=where)


def _bare_pickle(data: memoryview, where: str) -> ModelFileError:
    try:
        read_pickle(data, TorchNames(where), where)
    except ModelFileError as error:
        return error
    return UnknownModel("This is a pickle of something else than weights.", where=where)


def _is_text(head: bytes) -> bool:
    try:
        # A character may be cut at the end of the piece.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(byte < 0x20 and byte not in b"\t\n\r\f" for byte in head)
