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
from functools import cache, cached_property, partial

from ponystudio.api.spec import NodeSpec, ParamSpec
from ponystudio.errors import GraphError, MissingInput, ParamChoice, listed, shortened
from ponystudio.graph.catalog import did_you_mean
from ponystudio.graph.model import Graph, Node
from ponystudio.graph.topology import UpstreamSearch, known_value

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
# Letters of a value that are looked at for those.
_CONSIDERED = 4096
# Names of several nodes each, and names of none, that a look at every node is spent on.
MOST_NAMES, _MOST_NEAR = 64, 8
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
    text = _UNFIT.sub("_", " ".join(text[:_CONSIDERED].split())).strip(". ")
    return text.encode()[:LONGEST_VALUE].decode(errors="ignore").rstrip(". ")


class NameValues:
    """What tokens stand for in names of what nodes of `graph` save, the one that runs: without
    muted and bypassed nodes."""

    def __init__(self, graph: Graph, catalog: Mapping[str, NodeSpec]) -> None:
        self._graph, self._catalog = graph, catalog
        self._firsts: dict[str, UpstreamSearch] = {}
        self._searches: dict[Callable[[NodeSpec], str], UpstreamSearch] = {}
        self._called: dict[str, UpstreamSearch] = {}
        self._choices: dict[str, str] = {}
        self._near: dict[str, str] = {}

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
        first = self._first(node, "seed")
        if token.name in _PROMPTS:
            found = first and self._nearest(_prompt, first.id, _PROMPTS[token.name])
        elif token.name in _FILES:
            found = first and self._file(token.name, first.id, "model")
            found = found or self._file(token.name, node)
        else:
            having = first if first and self._has(first, token.name) else None
            having = having or self._first(node, token.name)
            found = having and (having, token.name)
        if not found:
            raise MissingInput(
                f"{token.text} stands for nothing: no node that leads here has a {token.name}.",
                remedy="Take it out of the name, or link what it is meant for.",
            )
        text = self._text(*found, token)
        # A model is called by its name, without folder and suffix.
        return re.split(r"[/\\]", text)[-1].rpartition(".")[0] if token.name in _FILES else text

    def _first(self, node: str, param: str) -> Node | None:
        """Of the nodes that lead to this one the first with a param: the farthest."""
        if param not in self._firsts:
            self._firsts[param] = UpstreamSearch(
                self._graph, lambda one: self._has(one, param), farthest=True
            )
        return next(iter(self._firsts[param].among(self._feeding(node))), None)

    def _nearest(
        self, param_of: Callable[[NodeSpec], str], node: str, socket: str = ""
    ) -> tuple[Node, str] | None:
        """The nearest of those that lead to a node (through `socket`, if named) in whose spec there
        is such a param, and that."""
        if param_of not in self._searches:
            self._searches[param_of] = UpstreamSearch(
                self._graph, lambda one: bool(self._param(one, param_of))
            )
        found = self._searches[param_of].among(self._feeding(node, socket))
        return (found[0], self._param(found[0], param_of)) if found else None

    def _feeding(self, id: str, socket: str = "") -> list[str]:
        node = self._graph.nodes.get(id)
        links = node.inputs.items() if node else ()
        return list(dict.fromkeys(link.source for name, link in links if socket in ("", name)))

    def _param(self, node: Node, param_of: Callable[[NodeSpec], str]) -> str:
        spec = self._catalog.get(node.type)
        return param_of(spec) if spec else ""

    def _spec(self, node: Node, param: str) -> ParamSpec | None:
        spec = self._catalog.get(node.type)
        return spec.param_by_name.get(param) if spec else None

    def _has(self, node: Node, param: str) -> bool:
        return self._spec(node, param) is not None

    def _file(self, name: str, node: str, socket: str = "") -> tuple[Node, str] | None:
        """The nearest that names a file of the kind, the best kind first."""
        files = (self._nearest(_FILE_PARAMS[kind], node, socket) for kind in _FILES[name])
        return next(filter(None, files), None)

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
        value = known_value(self._graph.nodes, self._catalog, node, param.name)
        if value is None:
            raise ParamChoice(
                f"{token.text} is not known before the run: a wire brings {node.id}.{param.name}.",
                remedy="Take it out of the name, or set the value on the node.",
            )
        if isinstance(value, bool):
            return str(value).lower()
        return format(value, "g") if isinstance(value, float) else str(value)

    def _named(self, token: NameToken, node: str) -> Node:
        """The node that a token names: by its id, else by its title, else by its type. Of several
        the nearest that leads to `node`."""
        if token.node in self._graph.nodes:
            return self._graph.nodes[token.node]
        wanted = token.node.lower()
        for called in (self._by_title, self._by_type):
            found = called.get(wanted) or called.get(wanted.replace(" ", ""), [])
            if len(found) == 1:
                return found[0]
            if found:
                nearest = self._leading(wanted, found, node)
                if len(nearest) == 1:
                    return nearest[0]
                if wanted not in self._choices:
                    self._choices[wanted] = listed(one.id for one in found)
                raise ParamChoice(
                    f"{token.text} may mean any of {self._choices[wanted]}.",
                    remedy=f"Name one, such as %{found[0].id}.{token.param}%.",
                )
        raise ParamChoice(
            f"{token.text} stands for nothing: there is no node {shortened(token.node)}.",
            remedy=self._meant(token.node) or f"There are: {self._all}.",
        )

    def _leading(self, name: str, called: list[Node], node: str) -> list[Node]:
        """The nearest of the nodes called so that lead to this one, two of several; [] too where
        too many names would have to be looked for."""
        if name not in self._called:
            if len(self._called) >= MOST_NAMES:
                return []
            ids = {one.id for one in called}
            self._called[name] = UpstreamSearch(self._graph, lambda one: one.id in ids)
        return self._called[name].among(self._feeding(node))

    def _meant(self, name: str) -> str:
        """Whom a name that is nobody's may mean."""
        if name not in self._near:
            if len(self._near) >= _MOST_NEAR:
                return ""
            nodes = self._graph.nodes
            known = [*nodes, *(one.title for one in nodes.values() if one.title)]
            self._near[name] = did_you_mean(name, known)
        return self._near[name]

    @cached_property
    def _all(self) -> str:
        return listed(sorted(self._graph.nodes), 12)

    @cached_property
    def _by_title(self) -> dict[str, list[Node]]:
        """Nodes by their titles, in the order of their ids."""
        return self._indexed(lambda node: {node.title.lower()} if node.title else set())

    @cached_property
    def _by_type(self) -> dict[str, list[Node]]:
        names = cache(self._type_names)
        return self._indexed(lambda node: names(node.type))

    def _indexed(self, names: Callable[[Node], set[str]]) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for _, node in sorted(self._graph.nodes.items()):
            for name in names(node):
                found.setdefault(name, []).append(node)
        return found

    def _type_names(self, type: str) -> set[str]:
        spec = self._catalog.get(type)
        theirs = {alias.lower() for alias in spec.aliases} if spec else set()
        title = {spec.title.lower()} if spec else set()
        return {type.lower(), type.rpartition(".")[2].lower(), *title, *theirs}


def _prompt(spec: NodeSpec) -> str:
    """Its first prompt, "" for none."""
    return next((param.name for param in spec.params if param.prompt), "")


def _file_param(kind: str, spec: NodeSpec) -> str:
    """Its first file of a kind, "" for none."""
    files = (one.name for one in spec.params if one.type == "file" and one.kind == kind)
    return next(files, "")


_FILE_PARAMS = {kind: partial(_file_param, kind) for kinds in _FILES.values() for kind in kinds}


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
