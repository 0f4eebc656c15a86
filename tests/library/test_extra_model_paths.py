"""ComfyUI's `extra_model_paths.yaml`: what it names, and what of it leads nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ponystudio.errors import MissingFile, UsageError, shortened
from ponystudio.library.extra_model_paths import EXTRA_PATHS
from ponystudio.library.model_folders import ModelFolders


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "data" / "loras" / "l.safetensors")
    put(tmp_path / "data" / "more" / "m.safetensors")
    (tmp_path / "comfy" / "models").mkdir(parents=True)
    return tmp_path / "comfy"


def written(root: Path, text: str) -> ModelFolders:
    (root / EXTRA_PATHS).write_text(text, encoding="utf-8")
    return ModelFolders([root])


def missing(folders: ModelFolders, kind: str, name: str = "none.safetensors") -> str:
    with pytest.raises(MissingFile) as caught:
        folders.resolve(kind, name)
    return str(caught.value)


@pytest.mark.parametrize(
    "base", ["$PONIES/data", "${PONIES}/data", "../data", "~/data", "$PONIES/$NONE_BUT_THERE"]
)
def test_variables_home_and_relative_bases(root, base, monkeypatch):
    for name in ("PONIES", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(root.parent))
    monkeypatch.setenv("NONE_BUT_THERE", "data")
    folders = written(root, f"a:\n  base_path: {base}\n  loras: |\n    loras\n    more\n")
    assert folders.names("loras") == ["l.safetensors", "m.safetensors"]
    assert folders.unused_lines() == []


def test_variables_in_lines(root, monkeypatch):
    monkeypatch.setenv("PONIES", str(root.parent))
    folders = written(root, "a:\n  loras: $PONIES/data/loras\n")
    assert folders.names("loras") == ["l.safetensors"]


def test_percent_signs_are_variables_on_windows(root, monkeypatch):
    monkeypatch.setenv("PONIES", str(root.parent))
    text = "a:\n  base_path: '%PONIES%/data'\n  loras: loras\n"
    assert "%PONIES%" in written(root, text).unused_lines()[0]
    monkeypatch.setattr("sys.platform", "win32")
    assert written(root, text).names("loras") == ["l.safetensors"]


@pytest.mark.parametrize("kind", ["loras", "Lora", "LyCORIS", "lora"])
def test_kinds_by_any_name_of_their_folder(root, kind):
    folders = written(root, f"a:\n  {kind}: ../data/loras\n")
    assert folders.names("loras") == ["l.safetensors"]


def test_a_list_of_lines_is_read_too(root):
    folders = written(root, "a:\n  base_path: ../data\n  loras:\n    - loras\n    - more\n")
    assert folders.names("loras") == ["l.safetensors", "m.safetensors"]


def test_the_file_beside_models(root):
    written(root, "a:\n  base_path: ../data\n  loras: loras\n")
    folders = ModelFolders([root / "models"])
    assert folders.names("loras") == ["l.safetensors"]
    assert folders.settings_files == [root / EXTRA_PATHS]
    # Where both are given it counts once.
    assert ModelFolders([root, root / "models"]).settings_files == [root / EXTRA_PATHS]


def test_the_default_section_comes_before_all_others(root):
    put(root / "models" / "loras" / "l.safetensors")
    text = "a:\n  base_path: ../data\n  loras: loras\n"
    ours, theirs = (
        root / "models" / "loras" / "l.safetensors",
        root.parent / "data" / "loras" / "l.safetensors",
    )
    assert written(root, text).resolve("loras", "l.safetensors") == ours
    text += "  is_default: true\n"
    assert written(root, text).resolve("loras", "l.safetensors").samefile(theirs)


def test_lines_that_lead_nowhere_are_told_where_a_file_is_missing(root, monkeypatch):
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)
    (root / "dead").symlink_to("gone")
    folders = written(
        root,
        "a:\n"
        "  checkpoints: D:\\models\n"
        "  loras: |\n"
        "    ../data/loras\n"
        "    $NOT_SET_ANYWHERE/loras\n"
        "    dead\n"
        "  vae: //host/share\n"
        "  lorax: ../data/loras\n"
        "  custom_nodes: nodes\n"
        "b:\n"
        "  base_path: /nowhere/at/all\n"
        "  loras: loras\n"
        "c: words\n"
        f"d:\n  loras: {EXTRA_PATHS}\n",
    )
    file = root / EXTRA_PATHS
    assert folders.names("loras") == ["l.safetensors"]
    assert folders.unused_lines() == [
        f"{file} line 2 names D:\\models, which is not there.",
        f"{file} line 5 names $NOT_SET_ANYWHERE/loras, and the variable NOT_SET_ANYWHERE is not"
        " set.",
        f"{file} line 6 names dead, which is not there: {root / 'dead'} is a link to gone, which"
        " is not there.",
        f"{file} line 7 names //host/share, on another machine, which is not asked.",
        f"{file} line 8 names lorax, no kind that is read here. Did you mean loras?",
        f"{file} line 9 names custom_nodes, no kind that is read here.",
        f"{file} line 11 names /nowhere/at/all, which is not there.",
        f"{file} line 13 is no section: c.",
        f"{file} line 15 names {EXTRA_PATHS}, which is no folder.",
    ]
    said = missing(folders, "checkpoints")
    assert f"line 2 names D:\\models, which is not there. {file} line 11" in said
    assert "line 5" not in said
    said = missing(folders, "loras")
    assert "NOT_SET_ANYWHERE is not set" in said
    assert "And 3 more." in said
    assert f"looked for in {shortened(str(file))}" in said
    assert "custom_nodes" not in missing(folders, "vae")


def test_a_damaged_file_is_told_with_its_line(root):
    folders = written(root, "a:\n  base_path: x\n  loras: [1, 2\nb: }\n")
    with pytest.raises(UsageError, match=rf"{EXTRA_PATHS} line 4"):
        folders.resolve("loras", "l.safetensors")


def test_aliases_do_not_make_a_small_file_a_long_job(root):
    lines = "".join(f"    k{n}{n}\n" for n in range(900))
    aliases = "".join(f"s{n}: *a\n" for n in range(900))
    folders = written(root, f"a: &a\n  loras: |\n{lines}{aliases}")
    assert len(folders.unused_lines()) == 2000


@pytest.mark.parametrize("folder", ["LoRAs", "Models/LORA", "models/lycoris"])
def test_folders_of_other_cases(tmp_path, folder):
    path = put(tmp_path / folder / "x.safetensors")
    assert ModelFolders([tmp_path]).resolve("loras", "x.safetensors").samefile(path)
