"""Tokens in names of saved files, which stand for what is known when a picture is saved.

They are written as in ComfyUI, `%seed%`, `%date:yyyy-MM-dd%`, or as in A1111, `[seed]`,
`[datetime<%Y%m%d>]`; both know the same names, which are those of `TOKENS`. `%Sample.cfg%` is the
param of a node by its id, its title or its type, ComfyUI's names for types and params included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.errors import GraphError, MissingInput, ParamChoice, listed, shortened
from ponystudio.graph.catalog import COMFYUI, did_you_mean
from ponystudio.graph.model import Graph, Node

# Of time, with their usual form (strftime).
_CLOCK: Mapping[str, str] = {
    "date": "%Y-%m-%d",
    "time": "%H-%M-%S",
    "datetime": "%Y%m%d%H%M%S",
    "year": "%Y",
    "month": "%m",
    "day": "%d",
    "hour": "%H",
    "minute": "%M",
    "second": "%S",
}
# Known when a picture is saved: of a batch, and the number that its file gets.
_PICTURE = ("width", "height", "batch_number", "batch_size", "counter")
# Params of the sampler that worked on the picture first.
_SAMPLER = ("seed", "steps", "cfg", "sampler", "scheduler", "denoise")
_FILES: Mapping[str, tuple[str, ...]] = {
    "model": ("checkpoints", "diffusion_models"),
    "vae": ("vae", "checkpoints"),
}
_PROMPTS: Mapping[str, str] = {"prompt": "positive", "negative_prompt": "negative"}
TOKENS = (*_CLOCK, *_PICTURE, *_SAMPLER, "clip_skip", *_FILES, *_PROMPTS)
_ALIASES: Mapping[str, str] = {
    "model_name": "model",
    "ckpt_name": "model",
    "checkpoint": "model",
    "vae_name": "vae",
    "sampler_name": "sampler",
    "noise_seed": "seed",
    "cfg_scale": "cfg",
    "denoising": "denoise",
    "denoising_strength": "denoise",
    "negative": "negative_prompt",
    "prompt_words": "prompt",
    "prompt_spaces": "prompt",
    "prompt_no_styles": "prompt",
    "generation_number": "batch_number",
    "job_timestamp": "datetime",
    "number": "counter",
}
# ComfyUI's names of params, where ours are others.
_COMFYUI_PARAMS: Mapping[str, str] = {
    "sampler_name": "sampler",
    "noise_seed": "seed",
    "batch_size": "batch",
    "upscale_method": "method",
    "scale_by": "factor",
    "strength_model": "strength",
    "strength_clip": "clip_strength",
    "filename_prefix": "prefix",
} | dict.fromkeys(
    ("ckpt_name", "unet_name", "vae_name", "lora_name", "model_name", "clip_name", "image"), "file"
)
# Stands in a name for the number that its file will get; no name can hold it.
NUMBER = "\0"
# Of a value in a name, in bytes of UTF-8.
LONGEST_VALUE = 80
_TOKEN = re.compile(
    r"%(?P<percent>date:[^%]*|[^\s%/\\:](?:[^%/\\:]*[^\s%/\\:])?)%"
    r"|\[(?P<bracket>[A-Za-z]+(?:_[A-Za-z]+)*)(?:<(?P<form>[^<>\]]*)>)?\]"
)
# ComfyUI's letters in forms of dates, by what they mean in strftime; single ones without zeros.
_DATE_LETTERS = re.compile(r"y{3,4}|y{1,2}|M{1,2}|d{1,2}|[hH]{1,2}|m{1,2}|s{1,2}")
_STRFTIME = frozenset("YymdHIMSfjpAaBbUWVGuwzZ%")
_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]+')


@dataclass(frozen=True)
class NameToken:
    """`text` as it is written, `name` one of TOKENS with the `form` of a date, or "" for `param` of
    `node`."""

    text: str
    name: str = ""
    form: str = ""
    node: str = ""
    param: str = ""


Value = Callable[[NameToken], str]


def tokens(prefix: str) -> list[NameToken]:
    """The tokens of a name, in order. Raises ParamChoice for what looks like one and is none."""
    return [_token(match) for match in _TOKEN.finditer(prefix)]


def replaced(prefix: str, value: Value) -> str:
    """The name with a value for each token."""
    return _TOKEN.sub(lambda match: value(_token(match)), prefix)


def fit(text: str) -> str:
    """A value as a part of a file's name: one line without what names cannot have, cut."""
    text = _UNFIT.sub("_", " ".join(text.split())).strip(". ")
    return text.encode()[:LONGEST_VALUE].decode(errors="ignore").rstrip(". ")


class NameValues:
    """What tokens stand for in names of what nodes of `graph` save, the one that runs: without
    muted and bypassed nodes."""

    def __init__(self, graph: Graph, catalog: Mapping[str, NodeSpec]) -> None:
        self._graph, self._catalog = graph, catalog

    def of_graph(self, prefix: str, node: str) -> str:
        """The name with what the graph alone decides; other tokens stay.

        Raises MissingInput, ParamChoice for a token for which nothing stands there.
        """

        def value(token: NameToken) -> str:
            known = token.name in _CLOCK or token.name in _PICTURE
            return token.text if known else fit(self._value(token, node))

        return replaced(prefix, value)

    def of_picture(
        self,
        prefix: str,
        node: str,
        *,
        size: tuple[int, int],
        batch: tuple[int, int],
        now: datetime,
    ) -> str:
        """The whole name; NUMBER stands for a counter. `batch` is the picture's index and the size
        of its batch. Raises as `of_graph`."""
        facts = dict(
            zip(_PICTURE, (*map(str, size), str(batch[0] + 1), str(batch[1]), NUMBER), strict=True)
        )

        def value(token: NameToken) -> str:
            if token.name in _CLOCK:
                return _clock(token, now)
            return facts[token.name] if token.name in facts else fit(self._value(token, node))

        return replaced(prefix, value)

    def _value(self, token: NameToken, node: str) -> str:
        if token.node:
            return self._text(self._named(token, node), token.param, token)
        upstream = self._upstream(node)
        first = next((one for one in reversed(upstream) if self._has(one, "seed")), None)
        if token.name in _PROMPTS:
            found = first and self._prompt(first, _PROMPTS[token.name])
        elif token.name in _FILES:
            found = self._file(self._upstream(first.id, "model") if first else [], token.name)
            found = found or self._file(upstream, token.name)
        elif first is not None and self._has(first, token.name):
            found = first, token.name
        else:
            having = (one for one in reversed(upstream) if self._has(one, token.name))
            found = next(((one, token.name) for one in having), None)
        if not found:
            raise MissingInput(
                f"{token.text} stands for nothing: no node that leads here has a {token.name}.",
                remedy="Take it out of the name, or link what it is meant for.",
            )
        text = self._text(*found, token)
        # A model is called by its name, without folder and suffix.
        return re.split(r"[/\\]", text)[-1].rpartition(".")[0] if token.name in _FILES else text

    def _upstream(self, node: str, socket: str = "") -> list[Node]:
        """What feeds a node (through `socket`, if named), nearest first, each once."""
        return [one for wave in self._waves(node, socket) for one in wave]

    def _waves(self, node: str, socket: str = "") -> Iterator[list[Node]]:
        """The same by how many wires lie between."""
        nodes = self._graph.nodes
        start = nodes.get(node)
        links = list(start.inputs.items()) if start else []
        wave = [link.source for name, link in links if socket in ("", name)]
        seen: set[str] = set()
        while wave:
            found = [nodes[id] for id in dict.fromkeys(wave) if id in nodes and id not in seen]
            seen.update(one.id for one in found)
            yield found
            wave = [id for one in found for id in one.sources]

    def _spec(self, node: Node, param: str) -> ParamSpec | None:
        spec = self._catalog.get(node.type)
        return spec.param_by_name.get(param) if spec else None

    def _has(self, node: Node, param: str) -> bool:
        return self._spec(node, param) is not None

    def _file(self, nodes: list[Node], name: str) -> tuple[Node, str] | None:
        """The first of the nodes that names a file of the kind, the best kind first."""
        for kind in _FILES[name]:
            for node in nodes:
                spec = self._catalog.get(node.type)
                for param in spec.params if spec else ():
                    if param.kind == kind and param.type == "file":
                        return node, param.name
        return None

    def _prompt(self, sampler: Node, side: str) -> tuple[Node, str] | None:
        for node in self._upstream(sampler.id, side):
            spec = self._catalog.get(node.type)
            for param in spec.params if spec else ():
                if param.prompt:
                    return node, param.name
        return None

    def _text(self, node: Node, name: str, token: NameToken) -> str:
        """A param's value as a text."""
        spec = self._catalog.get(node.type)
        known = spec.param_by_name if spec else {}
        param = known.get(name) or known.get(_COMFYUI_PARAMS.get(name, ""))
        if param is None or param.type == "rows":
            names = [one.name for one in known.values() if one.type != "rows"]
            raise ParamChoice(
                f"{token.text} stands for nothing: {node.id} has no param {shortened(name)}.",
                remedy=did_you_mean(name, names) or f"It has: {listed(names, 12) or 'none'}.",
            )
        if param.name in node.inputs:
            raise ParamChoice(
                f"{token.text} is not known before the run: a wire brings {node.id}.{param.name}.",
                remedy="Take it out of the name, or set the value on the node.",
            )
        value: Any = node.params.get(param.name, param.default)
        if isinstance(value, bool):
            return str(value).lower()
        return format(value, "g") if isinstance(value, float) else str(value)

    def _named(self, token: NameToken, node: str) -> Node:
        """The node that a token names: by its id, else by its title, else by its type. Of several
        the nearest that leads to `node`."""
        nodes = self._graph.nodes
        if token.node in nodes:
            return nodes[token.node]
        wanted = token.node.lower()
        for called in (_title, self._type_names):
            found = {id: one for id, one in nodes.items() if wanted in called(one)}
            if len(found) == 1:
                return next(iter(found.values()))
            leading = ([one for one in wave if one.id in found] for wave in self._waves(node))
            nearest = next(filter(None, leading), [])
            if len(nearest) == 1:
                return nearest[0]
            if found:
                raise ParamChoice(
                    f"{token.text} may mean any of {listed(sorted(found))}.",
                    remedy=f"Name one, such as %{min(found)}.{token.param}%.",
                )
        known = [*nodes, *(one.title for one in nodes.values() if one.title)]
        raise ParamChoice(
            f"{token.text} stands for nothing: there is no node {shortened(token.node)}.",
            remedy=did_you_mean(token.node, known) or f"There are: {listed(sorted(nodes), 12)}.",
        )

    def _type_names(self, node: Node) -> set[str]:
        spec = self._catalog.get(node.type)
        theirs = {name.lower() for name, ours in COMFYUI.items() if ours == node.type}
        title = {spec.title.lower()} if spec else set()
        return {node.type.lower(), node.type.rpartition(".")[2].lower(), *title, *theirs}


def _title(node: Node) -> set[str]:
    return {node.title.lower()} if node.title else set()


def check_names(
    graph: Graph, catalog: Mapping[str, NodeSpec], ids: Iterable[str]
) -> Iterator[GraphError]:
    """What is wrong with the tokens in the names of what these nodes save."""
    values = NameValues(graph, catalog)
    for id, param, prefix in named_files(graph, catalog, ids):
        try:
            values.of_graph(prefix, id)
        except GraphError as error:
            yield type(error)(error.what, remedy=error.remedy, node=id, socket=param.name)


def named_files(
    graph: Graph, catalog: Mapping[str, NodeSpec], ids: Iterable[str]
) -> Iterator[tuple[str, ParamSpec, str]]:
    """The names with tokens in which these nodes save something, with the param they stand in."""
    naming = {
        type: found
        for type, spec in catalog.items()
        if (found := [param for param in spec.params if param.file_name])
    }
    for id in ids:
        node = graph.nodes[id]
        for param in naming.get(node.type, ()):
            prefix = node.params.get(param.name, param.default)
            wired = param.name in node.inputs
            if not wired and isinstance(prefix, str) and _TOKEN.search(prefix):
                yield id, param, prefix


def _token(match: re.Match[str]) -> NameToken:
    text, percent = match[0], match["percent"]
    if percent is None:
        name, form = match["bracket"].lower(), match["form"] or ""
    elif percent.startswith("date:"):
        return NameToken(text, "date", _checked_form(text, _strftime(percent[5:])))
    elif "." in percent and (node := percent.rpartition(".")[0].strip()):
        return NameToken(text, node=node, param=percent.rpartition(".")[2].strip())
    else:
        name, form = percent.lower(), ""
    name = _ALIASES.get(name, name)
    if name not in TOKENS or (form and name not in ("date", "time", "datetime")):
        raise ParamChoice(
            f"There is no token {shortened(text)} for names of files.",
            remedy=did_you_mean(name, TOKENS)
            or f"There are {', '.join(TOKENS)}, and %node.param%.",
        )
    return NameToken(text, name, _checked_form(text, form))


def _checked_form(text: str, form: str) -> str:
    for letter in re.findall(r"%(.|$)", form, re.DOTALL):
        if letter not in _STRFTIME:
            raise ParamChoice(
                f"{shortened(text)} has no form of a date: there is no %{letter}.",
                remedy="Write, for example, %date:yyyy-MM-dd% or [datetime<%Y-%m-%d>].",
            )
    return form


def _strftime(letters: str) -> str:
    """ComfyUI's form of a date as strftime's."""
    known = {"y": "%Y", "yy": "%y", "M": "%m", "d": "%d", "h": "%H", "m": "%M", "s": "%S"}

    def code(match: re.Match[str]) -> str:
        found = match[0].replace("H", "h")
        whole = known["yy" if found in ("y", "yy") else found[0]]
        return whole if len(found) > 1 or found == "y" else f"{whole}{_BARE}"

    return _DATE_LETTERS.sub(code, letters)


# Behind a number that stands without its zero.
_BARE = "\x01"


def _clock(token: NameToken, now: datetime) -> str:
    text = now.strftime(token.form or _CLOCK[token.name])
    text = re.sub(rf"0?(\d{{1,2}}){_BARE}", r"\1", text)
    # A / in a form makes a folder, as it does in the name; a colon is no letter of names.
    return "/".join(_UNFIT.sub("-", part) for part in text.replace("\\", "/").split("/"))
