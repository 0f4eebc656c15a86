"""No pattern of the product takes time by the square of a text, whatever the text.

Every pattern is found in the sources and attacked with texts made from its own parts: its beginning
repeated, its beginning with each of its signs repeated behind. Python's engine goes back and tries
again wherever two repeats may take the same letters, and begins anew at every letter.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from itertools import product
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from time import process_time
from typing import Any

import pytest
from test_house import modules

from ponystudio.diffusion.checkpoints.model_comparison import LAYERS
from ponystudio.library.formats.quantization import OTHERS
from ponystudio.library.recognition import few_steps
from ponystudio.library.recognition.lora_layers import OTHER_KINDS

CALLS = {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
ANCHORED = {"match", "fullmatch"}
LETTERS = 8_000
# Python itself, on a text of this length and a pattern that is linear, takes a tenth of it.
QUICK = 0.005

# Patterns that are made of values as the program runs: examples of each, by module and text.
MADE = {
    ("ponystudio.studio.models.prompt_presets", "f'(?<![\\\\w=]){re.escape(words)}(?![\\\\w=])'"):
        (r"(?<![\w=])a\ pony,\ a\ horse(?![\w=])",),
    ("ponystudio.diffusion.checkpoints.model_comparison", "pattern"):
        tuple(pattern for pattern, _ in LAYERS),
    ("ponystudio.library.recognition.few_steps", "f'(?<![a-z]){words}(?![a-z])'"):
        tuple(pattern.pattern for pattern in few_steps._NAMES.values()),
    ("ponystudio.library.recognition.lora_layers", "pattern"): tuple(OTHER_KINDS),
    ("ponystudio.diffusion.weights.tensor_names", "f'{way}_blocks\\\\.(\\\\d{{1,4}})\\\\.(.*)'"):
        (r"down_blocks\.(\d{1,4})\.(.*)",),
    ("ponystudio.diffusion.weights.tensor_names", "pattern"): (r"mid_block\.resnets\.(\d{1,4})",),
    ("ponystudio.diffusion.weights.tensor_names", "ending"): (r"\.conv\.weight$", r"\.op\.weight$"),
    ("ponystudio.studio.runs.run_texts", "pattern"): (
        r"name the folder above, with --models (.+?)\.?$",
        r"use --device ([\w:]+)",
    ),
    ("ponystudio.engine.file_saver", r"f'{first}(\\d+){rest}{re.escape(suffix)}'"):
        (r"picture_(\d+)_end_\1\.png",),
    # Of texts of a hundred letters; what is repeated inside is counted there.
    ("ponystudio.graph.comfyui.use_everywhere", "found"):
        (r"^Face.*Detail", "seed|随机种", r"(_|\b)neg(ative|_|\b)"),
    ("ponystudio.library.formats.quantization", "f'(?:{ending})$'"):
        tuple(rf"(?:{ending})$" for ending in OTHERS),
}  # fmt: skip


class Pattern:
    def __init__(self, where: str, text: str, flags: int, anchored: bool) -> None:
        self.where, self.text, self.anchored = where, text, anchored
        self.compiled = re.compile(text, flags)

    def seconds(self, text: str, tries: int = 1) -> float:
        """What it takes to look through a text, at best."""
        taken = []
        for _ in range(tries):
            began = process_time()
            if self.anchored:
                self.compiled.match(text)
                self.compiled.fullmatch(text)
            else:
                for _match in self.compiled.finditer(text):
                    pass
            taken.append(process_time() - began)
        return min(taken)


def found_patterns() -> Iterator[Pattern]:
    uses = methods_used()
    for name, (_, tree) in modules().items():
        for part in ast.walk(tree):
            if (
                isinstance(part, ast.Call)
                and isinstance(part.func, ast.Attribute)
                and ast.unparse(part.func.value) == "re"
                and part.func.attr in CALLS
            ):
                called = {part.func.attr}
                if called == {"compile"}:
                    called = uses.get(assigned(tree, part), {"search"})
                texts, flags = values_of(name, part)
                for text in texts:
                    yield Pattern(f"{name}:{part.lineno}", text, flags, called <= ANCHORED)


def values_of(module: str, call: ast.Call) -> tuple[tuple[str, ...], int]:
    """The pattern, or examples of it, and its flags, as they are when the module has been loaded;
    none for one that was compiled before."""
    flags = 0
    for given in (*call.args[1:], *(word.value for word in call.keywords)):
        if re.fullmatch(r"re\.[A-Z]+( \| re\.[A-Z]+)*", spelt := ast.unparse(given)):
            flags |= eval(spelt)
    spelt = ast.unparse(call.args[0])
    if (made := MADE.get((module, spelt))) is not None:
        return made, flags
    known = dict(vars(importlib.import_module(module)))
    try:
        text = eval(compile(ast.Expression(call.args[0]), module, "eval"), known)
    except NameError:
        raise AssertionError(f"{module} makes a pattern of {spelt}: give examples") from None
    return (text,) if isinstance(text, str) else (), flags


def assigned(tree: ast.Module, call: ast.Call) -> str:
    for part in ast.walk(tree):
        if isinstance(part, ast.Assign) and part.value is call:
            return ast.unparse(part.targets[0])
    return ""


def methods_used() -> dict[str, set[str]]:
    """What is called on each name, anywhere."""
    used: dict[str, set[str]] = {}
    for _, tree in modules().values():
        for part in ast.walk(tree):
            if isinstance(part, ast.Attribute) and part.attr in CALLS:
                used.setdefault(ast.unparse(part.value), set()).add(part.attr)
    return used


def sample(parts: Any, repeated: int = 1) -> str:
    """A text that these parts of a pattern match, mostly."""
    text = ""
    for kind, what in parts:
        if kind is sre.LITERAL:
            text += chr(what)
        elif kind is sre.NOT_LITERAL:
            text += "a" if what != ord("a") else "b"
        elif kind is sre.ANY:
            text += "a"
        elif kind is sre.IN:
            text += of_class(what)
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            least, _most, inner = what
            text += sample(inner) * max(least, repeated)
        elif kind is sre.SUBPATTERN:
            text += sample(what[3], repeated)
        elif kind is sre.ATOMIC_GROUP:
            text += sample(what, repeated)
        elif kind is sre.BRANCH:
            text += sample(what[1][0], repeated)
    return text


def of_class(items: Any) -> str:
    refused = any(kind is sre.NEGATE for kind, _ in items)
    if refused:
        given = {chr(what) for kind, what in items if kind is sre.LITERAL}
        return next(sign for sign in "a0 -_.,:;x" if sign not in given)
    return next(iter(signs_of(items)), "a")


KINDS = {
    sre.CATEGORY_DIGIT: "1", sre.CATEGORY_SPACE: " ", sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_DIGIT: "a", sre.CATEGORY_NOT_SPACE: "a", sre.CATEGORY_NOT_WORD: "-",
}  # fmt: skip


def signs_of(items: Any) -> Iterator[str]:
    """The signs that a pattern tells apart."""
    for kind, what in items:
        if kind in (sre.LITERAL, sre.NOT_LITERAL):
            yield chr(what)
        elif kind is sre.RANGE:
            yield chr(what[0])
        elif kind is sre.CATEGORY:
            yield KINDS[what]
        elif kind is sre.IN:
            yield from signs_of(what)
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            yield from signs_of(what[2])
        elif kind is sre.SUBPATTERN:
            yield from signs_of(what[3])
        elif kind is sre.ATOMIC_GROUP:
            yield from signs_of(what)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            yield from signs_of(what[1])
        elif kind is sre.BRANCH:
            for branch in what[1]:
                yield from signs_of(branch)


def flat(parts: Any) -> list[Any]:
    """The parts one after another, what stands in groups too."""
    found: list[Any] = []
    for part in parts:
        found += flat(part[1][3]) if part[0] is sre.SUBPATTERN else [part]
    return found


def attacks(pattern: Pattern) -> Iterator[str]:
    parts = flat(parser.parse(pattern.text, pattern.compiled.flags & ~re.UNICODE))
    signs = list(dict.fromkeys([*signs_of(parts), "a", " ", "1"]))[:9]
    pumps = [*signs, *("".join(pair) for pair in product(signs[:4], repeat=2))]
    beginnings = dict.fromkeys(sample(parts[:i], n) for i in range(len(parts) + 1) for n in (0, 1))
    for beginning in beginnings:
        if beginning:
            yield beginning * (LETTERS // len(beginning))
        for pump in pumps:
            body = pump * (LETTERS // len(pump))
            yield beginning + body
            yield beginning + body + "\0"


def grows(pattern: Pattern) -> str:
    """A text of which twice as much takes far more than twice the time; "" if none was found."""
    for text in attacks(pattern):
        for start in (24, 300):  # what doubles with each letter is seen here
            if all(pattern.seconds(text[:start] + "\0", tries) > QUICK for tries in (1, 2)):
                return text
        if pattern.seconds(text) < QUICK:
            continue
        half, whole = text[: len(text) // 2], text
        # Once more where it seems so: others may have had the processor meanwhile.
        if all(
            pattern.seconds(whole, tries) > max(QUICK, 2.6 * pattern.seconds(half, tries))
            for tries in (3, 9)
        ):
            return text
    return ""


def test_no_pattern_takes_long():
    found = list(found_patterns())
    assert len(found) > 60
    assert [
        f"{pattern.where} {pattern.text[:60]} on {text[:12]!r}…{text[-4:]!r}"
        for pattern in found
        if (text := grows(pattern))
    ] == []


@pytest.mark.parametrize(
    "text",
    [
        r"<[^>]*>",
        r"\s*\bBREAK\b\s*",
        r"(a+)+b",
        r"(?:^|, )(.+?): [0-9a-f]+(?=,|$)",
        r":\s*(\d+\.?\d*)\s*\)",
        r"\[[^\[\]]*\|[^\[\]]*\]",
        r"<\w+:[^>]+>",
        r"[\s,]*<lora>",
    ],
)
def test_patterns_that_take_long_are_seen(text):
    assert grows(Pattern("", text, 0, False))
