"""What ARCHITECTURE.md and CONTRIBUTING.md name is there, and what they promise holds."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from ponystudio.cli.arguments import COMMANDS, command_module
from ponystudio.diffusion.families import families
from ponystudio.diffusion.sampling.names import SAMPLERS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ponystudio"
ARCHITECTURE = PACKAGE / "ARCHITECTURE.md"
CONTRIBUTING = ROOT / ".github/CONTRIBUTING.md"
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))

NAMED = re.compile(r"`([\w./-]+(?:\.(?:py|json|md|sh|toml)))`")
FOLDER = re.compile(r"`([\w./]+)/`")
THREAD = re.compile(
    r"\b(?:threading\.Thread|ThreadPoolExecutor|QThread|QThreadPool|BackgroundTasks)\("
)
# How many files each recipe may ask for.
MOST_FILES = {
    "a node": 1,
    "a sampler": 2,
    "a family": 3,
    "a kind of field": 2,
    "a panel": 2,
    "a setting": 1,
    "a command of the canvas": 1,
    "a command of the window": 1,
    "a command of the command line": 2,
    "an event of runs": 2,
    "a format of model files": 2,
    "an edit of graphs": 2,
}


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """What stands under a heading."""
    found = re.search(rf"^## [\d ]*{title}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found[1]


def rows(part: str) -> list[list[str]]:
    """The rows of a table, without its head, in cells."""
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def found(name: str) -> Path | None:
    """A file or folder that a page names from the root or from the package."""
    there = (base / name for base in (ROOT, PACKAGE))
    return next((path for path in there if path.exists()), None)


RECIPES = {row[0]: row for row in rows(section(text(CONTRIBUTING), "Recipes"))}
THREADS = section(text(ARCHITECTURE), "Threads")
WORDS = rows(section(text(ARCHITECTURE), "Words"))


@pytest.mark.parametrize("page", [ARCHITECTURE, CONTRIBUTING], ids=lambda page: page.name)
def test_every_file_that_is_named_is_there(page):
    names = [name for name in NAMED.findall(text(page)) if not name.startswith(("/", "."))]
    assert len(names) > 20
    wanted = {str(Path(name).parent) if "NAME" in name else name for name in names}
    assert [name for name in sorted(wanted) if found(name) is None] == []


@pytest.mark.parametrize(
    "page",
    [ARCHITECTURE, CONTRIBUTING, ROOT / "README.md", ROOT / "packaging/CHANGELOG.md"],
    ids=lambda page: page.name,
)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)\)", text(page))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    "page",
    sorted(PACKAGE.rglob("__init__.py")),
    ids=lambda page: page.parent.relative_to(ROOT).as_posix(),
)
def test_every_folder_says_what_it_is_for(page):
    says = ast.get_docstring(ast.parse(text(page))) or ""
    assert says, "what is it for, where to start, how to add one more of its kind?"
    assert len(says.splitlines()) <= 10
    bases = (page.parent, PACKAGE, ROOT)
    missing = [n for n in NAMED.findall(says) if not any((base / n).exists() for base in bases)]
    assert missing == []


# --- ARCHITECTURE.md ------------------------------------------------------------------------------


def test_every_folder_is_in_the_picture():
    named = set()
    for where, what in rows(section(text(ARCHITECTURE), "The picture")):
        folders = FOLDER.findall(where)
        named |= {
            *folders,
            *(f"{folder}/{room}" for folder in folders for room in FOLDER.findall(what)),
        }
    there = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("**/__init__.py")}
    assert named - {"nodes"} == there - {"."}


def test_the_one_direction_is_that_of_the_contracts():
    contracts = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["name"] == "Data flows one way")
    short = [layer.replace("ponystudio.", "") for layer in reversed(layers)]
    order = " <- ".join(name for name in short if name != "__main__")
    assert order in text(ROOT / "README.md")
    assert order.replace("<-", "←") in text(ARCHITECTURE)


def test_a_value_passes_sixteen_stops_at_most():
    journeys = section(text(ARCHITECTURE), "Six journeys")
    assert len(re.findall(r"^\d+\. `", journeys, re.MULTILINE)) <= 16


def test_every_thread_is_in_the_table():
    makers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if any(
            THREAD.search(line) and not line.startswith("class ")
            for line in text(path).splitlines()
        )
    }
    named = {name for row in rows(THREADS) for name in NAMED.findall(row[1])}
    assert makers - named == set()
    assert named - makers == {"app/studio_main.py"}  # Python starts that thread


def test_every_word_is_a_class_where_the_table_says():
    assert len(WORDS) >= 20
    for word, where, _ in WORDS:
        (path,) = NAMED.findall(where)
        assert re.search(rf"^class {word.strip('`')}\b", text(PACKAGE / path), re.MULTILINE), word


# --- CONTRIBUTING.md ------------------------------------------------------------------------------


def test_recipes_touch_no_more_files_than_they_may():
    assert RECIPES.keys() == MOST_FILES.keys()
    for what, row in RECIPES.items():
        files = NAMED.findall(row[1]) + FOLDER.findall(row[1])
        assert 1 <= len(files) <= MOST_FILES[what], what


@pytest.mark.parametrize("what", RECIPES)
def test_tables_that_recipes_name_are_there(what):
    """A name in capitals or of a function, behind the file that has it."""
    for piece in RECIPES[what][1].split("; "):
        path, *things = re.findall(r"`([^`]+)`", piece)
        for thing in things:
            name = thing.partition("(")[0]
            if name.isidentifier() and "NAME" not in path + name:
                assert found(path) is not None
                assert path.endswith("/") or re.search(rf"\b{name}\b", text(found(path))), thing


def test_every_sampler_has_its_function():
    pytest.importorskip("torch")
    from ponystudio.diffusion.sampling.samplers import samplers

    assert samplers().keys() == set(SAMPLERS)
    assert all(callable(function) for function in samplers().values())


def test_every_family_is_one_module():
    modules = {path.stem for path in (PACKAGE / "diffusion/families").glob("*.py")}
    assert families().keys() <= modules


def test_every_command_is_one_module():
    for name in COMMANDS:
        module = command_module(name)
        assert callable(module.add_arguments), name
        assert callable(module.main), name


# --- .github --------------------------------------------------------------------------------------

# GitHub's syntax for issue forms: attributes by type of field.
ATTRIBUTES = {
    "markdown": {"value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "input": {"label", "description", "placeholder", "value"},
    "dropdown": {"label", "description", "multiple", "options", "default"},
    "checkboxes": {"label", "description", "options"},
}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_such(path):
    form = yaml.safe_load(text(path))
    assert {"name", "description", "body"} <= form.keys() <= {
        *("name", "description", "body", "labels", "title", "assignees", "projects", "type"),
    }  # fmt: skip
    fields = form["body"]
    assert {field["type"] for field in fields} & {"textarea", "input", "dropdown"}
    for field in fields:
        assert field.keys() <= {"type", "id", "attributes", "validations"}
        assert field["attributes"].keys() <= ATTRIBUTES[field["type"]]
        assert all(isinstance(value, str | list) for value in field["attributes"].values())
        assert re.fullmatch(r"[\w-]+", field["id"])
        assert field.get("validations", {"required": True}) == {"required": True}
    for key in ("id", "label"):
        values = [field["attributes"].get(key, field.get(key)) for field in fields]
        assert len(values) == len(set(values))


def test_there_are_three_forms_with_what_they_ask_for():
    asked = {path.stem: text(path) for path in FORMS}
    assert asked.keys() == {"bug", "picture-differs", "model-not-recognised"}
    assert "ponystudio doctor" in asked["bug"]
    assert "The seed" in asked["picture-differs"]
    assert "ponystudio inspect" in asked["model-not-recognised"]


def test_the_hooks_fetch_nothing():
    config = yaml.safe_load(text(ROOT / ".pre-commit-config.yaml"))
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "mypy", "import-linter"]
