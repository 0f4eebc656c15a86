"""Everything that reads a text of strangers, and texts that are worst for such readers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ponystudio.canvas.fields import prompt_weights
from ponystudio.diffusion.text import prompt_syntax
from ponystudio.errors import PonyStudioError
from ponystudio.graph.editing import lora_tags
from ponystudio.graph.formats import clipboard, graph_file
from ponystudio.graph.generation import (
    fooocus,
    generation_reading,
    infotext,
    swarmui,
    weighted_text,
)
from ponystudio.graph.output_names import checked_prefix
from ponystudio.library.recognition import model_notes
from ponystudio.qt.plain_text import cut, tip
from ponystudio.studio.models import prompt_presets, tag_style
from ponystudio.studio.models.count_tokens import count, tokens_of
from ponystudio.studio.models.token_counts import PromptState
from ponystudio.studio.results import graph_diff
from ponystudio.widgets import fuzzy_match
from ponystudio.widgets.rich_text import markdown, spanned

PRESETS = prompt_presets.shipped()
PRESET = PRESETS[0]
NOWHERE = Path("no-folder-of-this-name", "model.safetensors")


def _document(name: str) -> Callable[[str], Any]:
    """A graph file with the text in it."""

    def read(text: str) -> Any:
        document = {"format": "ponystudio.graph", "version": 1, "nodes": {}, name: text}
        return graph_file.loads(json.dumps(document))

    return read


READERS: Mapping[str, Callable[[str], Any]] = {
    "infotext": infotext.read,
    "hashes of LoRAs": lambda text: infotext.read(f"Lora hashes: {json.dumps(text)}"),
    "a text of any program's": generation_reading.params_of,
    "prompt of NovelAI": weighted_text.from_novelai,
    "prompt of InvokeAI": weighted_text.from_invokeai,
    "prompt of SwarmUI": lambda text: swarmui.read(
        {"sui_image_params": {"prompt": text, "loras": text, "loraweights": text}}, {}
    ),
    "LoRAs of Fooocus": lambda text: fooocus.read(
        {"base_model": "", "resolution": text, "prompt": text, "lora_combined_1": text}, {}
    ),
    "prompt, a1111": lambda text: prompt_syntax.parse(text, "a1111"),
    "prompt, comfyui": lambda text: prompt_syntax.parse(text, "comfyui"),
    "notes on a prompt, a1111": lambda text: prompt_syntax.notes(text, "a1111"),
    "notes on a prompt, comfyui": lambda text: prompt_syntax.notes(text, "comfyui"),
    "comments": lambda text: prompt_syntax.without_comments(text, "comfyui"),
    "weights that are marked": lambda text: prompt_weights.spans(text, "a1111"),
    "weights that a key changes": lambda text: prompt_weights.adjusted(text, 5, 5, 0.1),
    "count of tokens, a1111": lambda text: count(PromptState(text, "a1111", (), "sdxl")),
    "tokens, comfyui": lambda text: tokens_of(PromptState(text, "comfyui", (), "sdxl")),
    "tags of LoRAs": lora_tags.tags,
    "a prompt without tags": lora_tags.strip_tags,
    "tags with spaces": tag_style.with_spaces,
    "tags with underscores": tag_style.with_underscores,
    "tags of a board": tag_style.as_prompt,
    "presets": lambda text: prompt_presets.inserted(text, PRESET, PRESETS, 0, 0),
    "description": lambda text: model_notes.said_of(NOWHERE, {"modelspec.description": text}),
    "trigger words": lambda text: model_notes.said_of(NOWHERE, {"modelspec.trigger_phrase": text}),
    "training log": lambda text: model_notes.said_of(NOWHERE, {"ss_tag_frequency": text}),
    "graph": graph_file.loads,
    "text in a graph": _document("title"),
    "clipboard": lambda text: clipboard.loads('"ponystudio.' + text),
    "prefix": checked_prefix,
    "words that differ": lambda text: graph_diff.words(text, text[::-1]),
    "phrases of its own": lambda text: graph_diff.own_phrases(text, text[::-1]),
    "title that is looked for": lambda text: fuzzy_match.match("a pony", text),
    "what is looked for": lambda text: fuzzy_match.match(text, "a pony " * 20),
    "label": cut,
    "tooltip": tip,
    "rich label": lambda text: spanned(text, "text"),
    "note": markdown,
}
"""What reads texts, by name; each may refuse one with a PonyStudioError."""

PARTS = (
    "a", " ", ",", ", ", "\n", ":", "(", ")", "(a", "(a:1.1)", "(a:", "[", "]", "[(", "[a|", "|",
    "{", "{a|b}", "}", "<", ">", "<a:", "<lora:a:1>", ", <lora:a:1>, ", "\\", "\\(", "BREAK ",
    " AND ", "#", "# a\n", "//", "/*", "/**/", "__", "__a__", "embedding:", "embedding:a ", "a_",
    "a_(", "score_9", "a: b, ", 'a: "', '"', "a: 1, bb: 2, ", ": 0a,", ", a: 0a", "1", "1.", "1:",
    ".1", "&#1", "&", "<b>", "{}", "[]", "{},", "[],", '"a":1,', '"":{', '{"a":', "[[", "-",
    "../", "\x00", "\xe9", "\u0301", "\U0001f40e", "\ud800",
)  # fmt: skip
"""What worst texts are made of, repeated."""


def texts(size: int) -> Mapping[str, str]:
    """Texts of about so many letters, by the part that they are made of."""
    found = {part: part * (size // len(part)) for part in PARTS}
    half = size // 2
    found |= {
        "( and )": "(" * half + ")" * half,
        "(a: and )": "(a:" * (size // 4) + ")" * (size // 4),
        "( and ]": "(" * half + "]" * half,
        "[| and |": "[" + "|" * size,
        ": and 1": ":" + "1" * size,
        "last line": "a\nSteps: 1, Sampler: b, Seed: 2, " + "a" * size,
        "digits": "&#" + "1" * size + ";",
        "names": "{" + ",".join(f'"n{i}":1' for i in range(size // 10)) + ',"n1":2}',
    }
    return found


def read(name: str, text: str) -> None:
    """Have a text read by a reader; a refusal counts."""
    with suppress(PonyStudioError):
        READERS[name](text)
