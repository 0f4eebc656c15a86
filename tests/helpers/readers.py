"""All that reads what strangers write, as functions of bytes, each with honest bytes to begin with.

One more reader is a row of `READERS`: campaigns of mutations then try it, too.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ponystudio_resources
from helpers import hostile, pickle_writer
from ponystudio.errors import PonyStudioError

# Letters: a longer one is read in its length's time, which may be more than a second.
LONGEST_PROMPT = 128 * 1024
# Pixels, of 16 bytes each.
MOST_LEVELS = 2**24
LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
SAFETENSORS = hostile.safetensors(
    {
        "__metadata__": {
            "modelspec.title": "A",
            "modelspec.trigger_phrase": "a, b",
            "ss_tag_frequency": '{"10_a": {"pony": 3, "1girl": 1}}',
        },
        f"{LAYER}.lora_down.weight": hostile.entry(0, 1536, "F16", (1, 768)),
        f"{LAYER}.lora_up.weight": hostile.entry(1536, 2176, "F16", (320, 1)),
        f"{LAYER}.alpha": hostile.entry(2176, 2180, "F32", ()),
    },
    bytes(2180),
)
VECTOR = bytes(3072)
EMBEDDING = hostile.safetensors({"emb_params": hostile.entry(0, 3072, "F32", (1, 768))}, VECTOR)
LORA_TEXT = (
    b"a pony, <lora:anthro_pony:0.8> (smile:1.2), [[dark]], embedding:bad-hands, BREAK \\(x\\)\n"
    b"# a comment\n{red|green} fox /* left out */, __animal__ AND a hill // more"
)
INFOTEXT = (
    b"a pony, (smile:1.1) <lora:style:0.7>\nNegative prompt: blurry, text\nSteps: 25, "
    b"Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 77, Size: 512x768, Model hash: 9f31c2d07a, "
    b'Model: starter, Lora hashes: "style: 7a20e4c91f, other: 0bd84f7712", Version: v1.10.1'
)
YAML = (
    b"a111:\n  base_path: /models\n  is_default: true\n"
    b"  checkpoints: |\n    a\n    b\n  loras: ${HOME}/l\n"
)
SIDECAR = json.dumps(
    {
        "name": "A",
        "trainedWords": ["a", "b"],
        "model": {"name": "M"},
        "notes": "<p>It is <b>so</b>.</p>",
    }
).encode()
SETTINGS = b'{"theme": "dark", "ui_scale": 1.25, "keys": {"a": ["B"]}, "model_folders": ["/m"]}'


@dataclass(frozen=True)
class Reader:
    """`read` takes bytes and may raise errors of ours; `share` is how many of the mutations it gets
    beside others."""

    name: str
    read: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]
    share: int = 1


@cache
def _folder() -> Path:
    """In memory where there is such a place: a million files are written there."""
    shared = Path("/dev/shm")
    return Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))


def written(content: bytes, suffix: str) -> Path:
    """A file with this content, the same one each time."""
    path = _folder() / f"{os.getpid()}{suffix}"
    path.write_bytes(content)
    return path


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


# --- What is read -----------------------------------------------------------------------------


def _model(suffix: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        from ponystudio.library.recognition.model_notes import said_of
        from ponystudio.library.recognition.recognise import recognise

        path = written(data, suffix)
        model = recognise(path)
        return said_of(path, model.metadata)

    return read


def _graph(data: bytes) -> object:
    from ponystudio.graph.formats import graph_file
    from ponystudio.graph.validation import check

    graph = graph_file.read(written(data, ".json"))
    graph_file.dumps(graph)
    return check(graph, _catalog())


def _comfyui(text: str) -> object:
    from ponystudio.graph.formats import graph_file
    from ponystudio.pictures.graph_opening import import_text

    imported = import_text(text)
    return imported and graph_file.dumps(imported.graph)


@cache
def _catalog() -> Any:
    from ponystudio.graph.catalog import Catalog

    return Catalog.from_json(json.loads(ponystudio_resources.path("catalog.json").read_bytes()))


def _clipboard(text: str) -> object:
    from ponystudio.graph.formats import clipboard

    return clipboard.loads(text)


def _prompt(dialect: str) -> Callable[[str], object]:
    def read(text: str) -> object:
        from ponystudio.diffusion.text import prompt_syntax
        from ponystudio.graph.editing import lora_tags

        text = text[:LONGEST_PROMPT]
        prompt_syntax.notes(text, dialect)
        lora_tags.strip_tags(text)
        return prompt_syntax.parse(text, dialect)

    return read


def _infotext(text: str) -> object:
    from ponystudio.graph.generation import infotext
    from ponystudio.graph.generation.generation_graph import graph_of
    from ponystudio.graph.generation.infotext_writer import write

    params = infotext.read(text)
    infotext.read(write(params))
    return graph_of(params)


def _yaml(data: bytes) -> object:
    from ponystudio.library.model_folders import ModelFolders

    root = _folder() / str(os.getpid())
    root.mkdir(exist_ok=True)
    (root / "extra_model_paths.yaml").write_bytes(data)
    folders = ModelFolders([root])
    return folders.folders("checkpoints"), folders.unused_lines()


def _sidecar(data: bytes) -> object:
    from ponystudio.library.recognition.model_notes import said_of

    return said_of(written(data, ".json").with_suffix(".safetensors"), {})


def _edit(data: bytes) -> object:
    from ponystudio.graph.formats import edit_codec

    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return None  # who reads journals has looked at that before
    return edit_codec.decode(parsed)


def _journal(data: bytes) -> object:
    from ponystudio.studio.documents.journal_format import replay

    return replay(written(data, ".journal"))


def _frames(data: bytes) -> object:
    from ponystudio.engine.protocol import frames

    for read in (frames.read_message, frames.read_command):
        stream = io.BytesIO(data)
        while read(stream) is not None:
            pass
    return None


def _profile(data: bytes) -> object:
    from ponystudio.pictures.icc_profile import parse_profile

    try:
        return parse_profile(data)
    except ValueError:  # which is what it says
        return None


def _fields(data: bytes) -> object:
    from ponystudio.pictures import picture_reader

    return picture_reader.read_fields(written(data, ".png"))


def _opened(suffix: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        from ponystudio.graph.formats import graph_file
        from ponystudio.pictures.graph_opening import open_file

        return graph_file.dumps(open_file(written(data, suffix)).graph)

    return read


def _exif(data: bytes) -> object:
    from ponystudio.graph.formats.exif_texts import texts_in

    return texts_in(data)


def _avif_items(data: bytes) -> object:
    from ponystudio.graph.formats.avif_items import exif_and_xmp

    return exif_and_xmp(io.BytesIO(data), lambda count: count < 2**24)


def _stealth(data: bytes) -> object:
    """The bytes as the lowest bits of pixels."""
    import numpy as np

    from ponystudio.pictures.stealth_text import hidden_text

    bits = np.unpackbits(np.frombuffer(data[: 2**17], np.uint8))
    columns = -(-bits.size // 192) or 1
    pixels = np.zeros(columns * 192, np.uint8)
    pixels[: bits.size] = bits
    alpha = pixels.reshape(-1, 64)
    alpha = np.pad(alpha.T[..., None], ((0, 0), (0, 0), (3, 0)))
    return hidden_text(alpha), hidden_text(pixels.reshape(columns, 64, 3).transpose(1, 0, 2))


def _thumbnail(data: bytes) -> object:
    from ponystudio.pictures import picture_reader

    return picture_reader.read_pixels(data, lambda pixels: memoryview(bytearray(pixels.nbytes)))


def _levels(data: bytes) -> object:
    from ponystudio.pictures import picture_reader

    path = written(data, ".png")
    head = picture_reader.read_head(path)
    if head.width * head.height > MOST_LEVELS:
        return None  # what a graph asks for is as large as it is, within the memory that is free
    return picture_reader.read_levels(path)


def _json_store(data: bytes) -> object:
    from ponystudio.studio.json_store import read_json

    return read_json(written(data, ".store.json"), dict[str, list[float]])


def _settings(data: bytes) -> object:
    from ponystudio.studio.settings import Settings

    settings = Settings(written(data, ".settings.json"))
    return [settings.get(setting.name) for setting in settings.rows]


def _tokenizer(data: bytes) -> object:
    from ponystudio.diffusion.text import sentencepiece_tokens

    return sentencepiece_tokens.read(written(data, ".model")).ids("a pony on a hill")


def _prefix(text: str) -> object:
    from ponystudio.graph.output_names import checked_prefix

    return checked_prefix(text[:2000])


# --- What they begin with ---------------------------------------------------------------------


def _archives() -> list[bytes]:
    """Textual inversions, as trainers write them."""
    vector = pickle_writer.tensor((1, 768), (768, 1), source=pickle_writer.storage(numel=768))
    content = pickle_writer.pickle_of(
        pickle_writer.dictionary(string_to_param=pickle_writer.dictionary(**{"*": vector}))
    )
    return [
        hostile.torch_zip(content, data=VECTOR),
        hostile.torch_legacy(content, numel=768, data=VECTOR),
        content,
    ]


def _hostile(group: str) -> list[bytes]:
    """Small ones of those that are known to be hostile: their neighbours may be worse."""
    return [
        data for name, data in hostile.FILES.items() if name.startswith(group) and len(data) < 4096
    ]


def _gguf() -> list[bytes]:
    from helpers import gguf_writer

    path = written(b"", ".gguf")
    said = {"general.architecture": "flux", "n": 3, "f": 0.5, "names": ["a", "b"], "is": True}
    gguf_writer.write_gguf(path, {"blk.0.weight": (8, 32)}, said, "Q8_0")
    return [path.read_bytes()]


def _graphs() -> list[bytes]:
    names = sorted(ponystudio_resources.path("graphs").glob("*.json"))
    return [path.read_bytes() for path in names]


def _comfyui_graphs() -> list[bytes]:
    """A prompt and a workflow, with a reroute, a bypassed node and a subgraph that is there
    twice."""

    def node(id: int, type: str, values: list[Any], *links: int | None) -> dict[str, Any]:
        inputs = [{"name": f"input {i}", "type": "*", "link": link} for i, link in enumerate(links)]
        outputs = [{"name": "output", "type": "*"}]
        return {"id": id, "type": type, "inputs": inputs, "outputs": outputs, "mode": 0,
                "pos": [100 * id, 50], "widgets_values": values}  # fmt: skip

    inner = {
        "id": "8f5f4a0c-0000-4000-8000-000000000001",
        "nodes": [node(1, "CLIPTextEncode", ["a pony"], 1)],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 1, "target_slot": 0},
            {"id": 2, "origin_id": 1, "origin_slot": 0, "target_id": -20, "target_slot": 0},
        ],
        "inputs": [{"name": "input 0", "type": "CLIP"}],
        "outputs": [{"name": "output", "type": "CONDITIONING"}],
    }
    proxies = {"properties": {"proxyWidgets": [["1", "text"]]}}
    workflow = {
        "nodes": [
            node(4, "CheckpointLoaderSimple", ["a.safetensors"]),
            node(5, "Reroute", [], 1),
            {**node(6, inner["id"], ["a fox"], 2), **proxies},
            {**node(7, inner["id"], [None], 2), **proxies},
            {**node(8, "LoraLoader", ["b.safetensors", 1, 1], 3), "mode": 4},
            node(9, "KSampler", [7, "randomize", 20, 8.0, "euler", "normal", 1], 4, 5, 6),
            node(10, "SetNode", ["latent"], 7),
            node(11, "GetNode", ["latent"]),
            node(12, "SaveLatent", ["x"], 8),
        ],
        "links": [[1, 4, 1, 5, 0, "*"], [2, 5, 0, 6, 0, "*"], [3, 4, 0, 8, 0, "*"],
                  [4, 8, 0, 9, 0, "*"], [5, 6, 0, 9, 1, "*"], [6, 7, 0, 9, 2, "*"],
                  [7, 9, 0, 10, 0, "*"], [8, 11, 0, 12, 0, "*"]],
        "groups": [{"title": "All", "bounding": [0, 0, 900, 200]}],
        "extra": {"workflowRendererVersion": "Vue",
                  "ue_links": [{"upstream": 4, "upstream_slot": 2, "downstream": 12,
                                "downstream_slot": 1}]},
        "definitions": {"subgraphs": [inner]},
    }  # fmt: skip
    prompt = {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a pony", "clip": ["4", 1]}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64}},
        "9": {"class_type": "KSampler", "_meta": {"title": "Mine"},
              "inputs": {"seed": 7, "steps": 20, "cfg": 8.0, "sampler_name": "euler",
                         "scheduler": "karras", "denoise": 0.5, "model": ["4", 0],
                         "positive": ["6", 0], "negative": ["6", 0], "latent_image": ["5", 0]}},
    }  # fmt: skip
    return [json.dumps(document).encode() for document in (workflow, prompt)]


def _foreign_documents() -> list[bytes]:
    """What other programs write of how a picture was made."""
    from helpers import foreign_pictures as foreign

    texts = [text for fields in foreign.WRITERS.values() for text in fields.values()]
    documents = [foreign.CIVITAI, foreign.SIDECAR, foreign.NOVEL_FIELDS]
    texts += map(json.dumps, documents)
    return [text.encode() for text in texts if len(text) > 40]  # others are words


def _foreign_pictures() -> list[bytes]:
    from helpers import foreign_pictures as foreign

    made = [foreign.stealthy(foreign.INFOTEXT, kind=kind) for kind in ("pngcomp", "rgbinfo")]
    made.append(foreign.stealthy(json.dumps(foreign.SWARM), "WEBP"))
    for fields in foreign.WRITERS.values():
        made += [foreign.png(fields), foreign.png(fields, "iTXt")]
        made += [foreign.with_exif(format, fields) for format in ("JPEG", "WEBP", "AVIF")]
    return made


def _exif_blocks() -> list[bytes]:
    from PIL import Image

    from helpers import foreign_pictures as foreign

    pictures = [foreign.with_exif("JPEG", fields) for fields in foreign.WRITERS.values()]
    return [Image.open(io.BytesIO(data)).info["exif"] for data in pictures]


def _avifs() -> list[bytes]:
    """The beginning of one, in which all boxes are."""
    from helpers import foreign_pictures as foreign

    return [foreign.with_exif("AVIF", fields)[:2000] for fields in foreign.WRITERS.values()]


def _hidden() -> list[bytes]:
    """Of alpha and of colours."""
    import gzip

    text = INFOTEXT
    said = {"pnginfo": text, "pngcomp": gzip.compress(text)}
    said |= {"rgbinfo": text, "rgbcomp": gzip.compress(text)}
    return [
        f"stealth_{kind}".encode() + (8 * len(data)).to_bytes(4, "big") + data
        for kind, data in said.items()
    ]


def _parts_of_graphs() -> list[bytes]:
    from ponystudio.graph.formats import clipboard, graph_file

    return [clipboard.dumps(graph_file.loads(text.decode())).encode() for text in _graphs()]


def _edits() -> list[bytes]:
    from ponystudio.graph.editing.edits import AddNode, Compound, SetMode, SetParam
    from ponystudio.graph.formats import edit_codec
    from ponystudio.graph.model import Node

    edits = [
        SetParam("a", "seed", 2**63),
        AddNode(Node("a", "core.sample", params={"steps": 20})),
        SetMode("a", "muted"),
    ]
    return [
        json.dumps(edit_codec.encode(edit)).encode() for edit in (*edits, Compound(tuple(edits)))
    ]


def _journals() -> list[bytes]:
    from ponystudio.graph.editing.edits import SetParam
    from ponystudio.graph.formats import graph_file
    from ponystudio.studio.documents.journal_format import edit_line, header, pack

    graph = graph_file.loads(_graphs()[0].decode())
    edit = SetParam("sampler", "steps", 21)
    lines = [
        header("id", "Graph", None, graph, 1.0),
        edit_line(edit, "Set", "", graph, edit.apply(graph)[0]),
    ]
    return [b"".join(map(pack, lines))]


def _messages() -> list[bytes]:
    from ponystudio.engine.protocol import frames
    from ponystudio.engine.protocol.run_events import NodeStarted, Progress
    from ponystudio.engine.protocol.worker_messages import Heartbeat, MemoryUse, RunMessage

    made = (
        Heartbeat(),
        MemoryUse("CPU", 1, 2, 3, 4, 5, 6, 7, 8),
        RunMessage(1, NodeStarted("a", "seed changed")),
        RunMessage(2, Progress("a", 1, 2)),
    )
    stream = io.BytesIO()
    for message in made:
        frames.write_frame(stream, frames.encode(message))
    return [stream.getvalue()]


def _profiles() -> list[bytes]:
    from PIL import ImageCms

    kinds = [ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")]
    return [ImageCms.ImageCmsProfile(kind).tobytes() for kind in kinds]


def _pictures() -> list[bytes]:
    """One of each format, with fields where it can carry any."""
    from PIL import Image

    from ponystudio.graph.formats.picture_writer import FORMATS, embed

    picture = Image.radial_gradient("L").resize((24, 16)).convert("RGB")
    fields = {"ponystudio.graph": _graphs()[0].decode(), "parameters": INFOTEXT.decode()}
    made = []
    for format in FORMATS:
        path = written(b"", f".made.{format}")
        embed(picture, path, format, fields)
        made.append(path.read_bytes())
    for format in ("GIF", "BMP", "TIFF", "AVIF"):
        file = io.BytesIO()
        picture.save(file, format)
        made.append(file.getvalue())
    return made


def _tokenizers() -> list[bytes]:
    """Small ones of both kinds: a real one has 800 KB."""
    from sentencepiece import SentencePieceTrainer
    from tokenizers import Tokenizer, models

    model, text = io.BytesIO(), ["a pony on a hill", "a fox in a wood"] * 9
    SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, vocab_size=18, minloglevel=9
    )
    words = [("<unk>", 0.0), ("\u2581a", -1.0), ("p", -2.0), ("o", -2.0), ("ny", -2.0)]
    return [model.getvalue(), Tokenizer(models.Unigram(words, 0)).to_str().encode()]


READERS = (
    Reader("safetensors", _model(".safetensors"), lambda: [SAFETENSORS, EMBEDDING], 3),
    Reader("broken safetensors", _model(".safetensors"), lambda: _hostile("safetensors"), 2),
    Reader("torch archives", _model(".ckpt"), lambda: [*_archives(), *_hostile("zip")], 4),
    Reader("torch pickles", _model(".pt"), lambda: [*_archives(), *_hostile("legacy")], 4),
    Reader("GGUF", _model(".gguf"), _gguf, 2),
    Reader("graphs", _graph, _graphs, 3),
    Reader("graphs of ComfyUI", _text(_comfyui), _comfyui_graphs, 3),
    Reader("clipboard", _text(_clipboard), _parts_of_graphs, 1),
    Reader("prompts of A1111", _text(_prompt("a1111")), lambda: [LORA_TEXT], 2),
    Reader("prompts of ComfyUI", _text(_prompt("comfyui")), lambda: [LORA_TEXT], 2),
    Reader("infotext", _text(_infotext), lambda: [INFOTEXT], 3),
    Reader("documents of other programs", _opened(".json"), _foreign_documents, 3),
    Reader("pictures of other programs", _opened(".png"), _foreign_pictures, 3),
    Reader("EXIF", _exif, _exif_blocks, 3),
    Reader("items of AVIF", _avif_items, _avifs, 2),
    Reader("text among pixels", _stealth, _hidden, 3),
    Reader("extra model paths", _yaml, lambda: [YAML], 1),
    Reader("sidecars", _sidecar, lambda: [SIDECAR], 2),
    Reader("edits", _edit, _edits, 1),
    Reader("journals", _journal, _journals, 1),
    Reader("frames", _frames, _messages, 2),
    Reader("colour profiles", _profile, _profiles, 2),
    Reader("texts in pictures", _fields, _pictures, 2),
    Reader("pictures", _thumbnail, _pictures, 2),
    Reader("pictures as numbers", _levels, _pictures, 1),
    Reader("kept facts", _json_store, lambda: [b'{"a": [1.0, 2.5]}'], 1),
    Reader("settings", _settings, lambda: [SETTINGS], 1),
    Reader("tokenizers", _tokenizer, _tokenizers, 1),
    Reader("names of results", _text(_prefix), lambda: [b"ponies/%date%/unicorn_[seed]"], 1),
)
BY_NAME = {reader.name: reader for reader in READERS}
# What a reader may raise; anything else would be a traceback.
REFUSALS = (PonyStudioError,)


def digest(data: bytes) -> str:
    """A short name for an input, to be found again."""
    return f"{zlib.crc32(data):08x}"
