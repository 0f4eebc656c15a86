"""The house keeps its order: rooms of a size to be taken in, one name a thing, imports one way.

Which package may import which is import-linter's (pyproject.toml); what it cannot see is here.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = {"ponystudio": ROOT / "ponystudio", "ponystudio_nodes": ROOT / "nodes"}

# Tables of modules of one shape, each known by the name of what it describes: what a family is and
# how its network is built; a command and what it calls; a node and what it calls.
SAME_SHAPE = {
    "auraflow.py", "flux.py", "sd3.py",  # families and architectures
    "convert.py", "run.py",  # commands
    "upscale.py",  # nodes
    # Nodes, and what ComfyUI's are here.
    *("constants.py", "images.py", "latents.py", "loading.py", "merging.py", "prompting.py"),
    "sampling.py",
    "base.py",  # fields and gestures
}  # fmt: skip


@cache
def modules() -> dict[str, tuple[Path, ast.Module]]:
    """Every module of the product: dotted name → file and syntax tree."""
    found = {}
    for name, folder in PRODUCT.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts)] = (path, ast.parse(path.read_text("utf-8")))
    return found


def imports(module: str) -> Iterator[str]:
    """Modules of the product that a module names in an import, for types alone included."""
    known = modules()
    for part in ast.walk(known[module][1]):
        if isinstance(part, ast.Import):
            yield from (alias.name for alias in part.names if alias.name in known)
        elif isinstance(part, ast.ImportFrom) and part.module and not part.level:
            for alias in part.names:
                inner = f"{part.module}.{alias.name}"
                target = inner if inner in known else part.module
                if target in known and target != module:
                    yield target


def test_no_imports_in_circles():
    graph = nx.DiGraph((name, other) for name in modules() for other in imports(name))
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert not circles


def test_no_folder_is_too_full():
    per_folder = Counter(path.parent.relative_to(ROOT) for path, _ in modules().values())
    assert {str(folder): n for folder, n in per_folder.items() if n > 25} == {}


def test_files_are_neither_heaps_nor_crumbs():
    """At most some six files a thousand lines, docstrings of packages left out."""
    lines = [
        len(path.read_text("utf-8").splitlines())
        for path, tree in modules().values()
        if path.name != "__init__.py" or len(tree.body) > 1  # no mere docstring
    ]
    assert 1000 * len(lines) / sum(lines) <= 6.1


def test_a_class_has_a_name_of_its_own():
    where = defaultdict(list)
    for name, (_, tree) in modules().items():
        for part in tree.body:
            if isinstance(part, ast.ClassDef):
                where[part.name].append(name)
    assert {name: found for name, found in where.items() if len(found) > 1} == {}


def test_a_file_has_a_name_of_its_own():
    names = Counter(path.name for path, _ in modules().values() if path.name != "__init__.py")
    assert {name for name, n in names.items() if n > 1} <= SAME_SHAPE


def test_every_package_says_what_it_is_for():
    for name, (path, tree) in modules().items():
        if path.name == "__init__.py":
            said = ast.get_docstring(tree)
            assert said, name
            assert len(said.splitlines()) <= 10, name


def test_messages_are_values_outside_of_the_protocol():
    spelt = re.compile(r"""\bmessage(\[|\.get\()["']""")
    found = [
        f"{name}: {line.strip()}"
        for name, (path, _) in modules().items()
        if not name.startswith("ponystudio.engine.protocol")
        for line in path.read_text("utf-8").splitlines()
        if spelt.search(line)
    ]
    assert not found


@pytest.mark.parametrize("package", ["ponystudio.qt", "ponystudio.studio"])
def test_no_widgets_below_the_canvas(package):
    for name, (_, tree) in modules().items():
        if name == package or name.startswith(package + "."):
            for part in ast.walk(tree):
                if isinstance(part, ast.Import | ast.ImportFrom):
                    named = {alias.name for alias in part.names} | {getattr(part, "module", "")}
                    assert not {"PySide6.QtWidgets", "QtWidgets"} & named, name


@pytest.mark.parametrize(
    ("owner", "rooms"),
    [
        ("MainWindow", ("ponystudio.app.window",)),
        ("GraphView", ("ponystudio.canvas.view", "ponystudio.canvas.commands")),
    ],
)
def test_nobody_is_given_the_whole_owner(owner, rooms):
    """Whoever is made takes the two or three things it needs."""
    for name, (_, tree) in modules().items():
        if name.startswith(rooms):
            continue
        for part in ast.walk(tree):
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                given = [*part.args.posonlyargs, *part.args.args, *part.args.kwonlyargs]
                types = [ast.unparse(a.annotation) for a in given if a.annotation is not None]
                assert not any(re.search(rf"\b{owner}\b", kind) for kind in types), name


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_every_package_is_shipped():
    listed = set(project()["tool"]["setuptools"]["packages"])
    packages = {name for name, (path, _) in modules().items() if path.name == "__init__.py"}
    assert listed == packages | {"ponystudio_resources"}


def test_every_dependency_is_used():
    """A package that nothing imports is a package too many."""
    used = {
        alias.name if isinstance(part, ast.Import) else part.module or ""
        for _, tree in modules().values()
        for part in ast.walk(tree)
        if isinstance(part, ast.Import | ast.ImportFrom)
        for alias in part.names
    }
    used = {name.partition(".")[0] for name in used}
    given = defaultdict(set)
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            given[normal(distribution)].add(module)
    declared = [re.split(r"[<>=!~\[; ]", text)[0] for text in project()["project"]["dependencies"]]
    assert [name for name in declared if not given[normal(name)] & used] == []


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
