"""Who loads what, seen in live processes: the studio's window and quick commands need no torch."""

from __future__ import annotations

import importlib.util
import pkgutil
import subprocess
import sys

import pytest

HEAVY = ("torch", "diffusers", "transformers", "accelerate", "torchsde", "scipy")
QT = ("PySide6", "qasync")

# Packages of which every module is light, and light modules of packages that are not.
LIGHT_PACKAGES = (
    "ponystudio.system",
    "ponystudio.api",
    "ponystudio.graph",
    "ponystudio.library",
    "ponystudio.cli",
    "ponystudio.engine.protocol",
    "ponystudio.diffusion.architectures",
    "ponystudio.diffusion.families",
    "ponystudio_nodes",
)
LIGHT_MODULES = (
    "ponystudio.errors",
    "ponystudio.__main__",
    "ponystudio.engine.node_packs",
    "ponystudio.diffusion.loading.load",
    "ponystudio.diffusion.weights.tensor_names",
    "ponystudio.diffusion.weights.network_config",
    "ponystudio.diffusion.text.prompt_syntax",
    "ponystudio.diffusion.text.sentencepiece_tokens",
    "ponystudio.diffusion.loading.text_encoder_files",
    "ponystudio.diffusion.text.clip_tokens",
    "ponystudio.diffusion.sampling.names",
    "ponystudio_resources",
)


def modules_of(package: str) -> list[str]:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    found = pkgutil.walk_packages(spec.submodule_search_locations, package + ".")
    return [package, *(module.name for module in found)]


def loaded(code: str, watched: tuple[str, ...]) -> list[str]:
    """Which of the watched modules a fresh process has after running this code."""
    report = f"\nimport sys; print('\\nloaded:', *(m for m in {watched!r} if m in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.rpartition("loaded:")[2].split()


@pytest.mark.parametrize("package", LIGHT_PACKAGES)
def test_every_module_of_a_light_package_is_light(package):
    names = modules_of(package)
    assert len(names) > 1
    assert loaded("import " + ", ".join(names), HEAVY + QT) == []


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_light_module(module):
    assert loaded(f"import {module}", HEAVY + QT) == []


@pytest.mark.parametrize(
    "package",
    [f"ponystudio.{name}" for name in ("qt", "widgets", "studio", "canvas", "app")],
)
def test_the_studio_itself_is_light_but_for_qt(package):
    assert loaded("import " + ", ".join(modules_of(package)), HEAVY) == []


@pytest.mark.parametrize("package", ["ponystudio.qt", "ponystudio.studio"])
def test_what_is_open_and_running_has_no_widgets(package):
    code = "import " + ", ".join(modules_of(package))
    assert loaded(code, ("PySide6.QtWidgets", "ponystudio.widgets")) == []


@pytest.mark.parametrize("package", ["ponystudio.engine", "ponystudio.diffusion"])
def test_the_engine_and_the_model_library_know_no_qt(package):
    assert loaded("import " + ", ".join(modules_of(package)), QT) == []


@pytest.mark.parametrize(
    "words",
    [
        ["nodes"],
        ["nodes", "core.sample"],
        ["validate", "resources/graphs/upscale.json"],
        ["inspect", "resources/models/upscale_models/realesr-animevideov3-x4.safetensors"],
    ],
    ids=lambda words: words[0],
)
def test_quick_commands_load_no_torch(words, pytestconfig):
    words = [str(pytestconfig.rootpath / w) if "/" in w else w for w in words]
    code = f"from ponystudio.cli.arguments import main\nassert main({words!r}) == 0"
    assert loaded(code, HEAVY + QT) == []


def test_nodes_answer_only_to_their_own_name(pytestconfig):
    result = subprocess.run(
        [sys.executable, "-c", "import nodes"],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
    )
    assert "import ponystudio_nodes" in result.stderr


def test_the_window_waits_for_nothing_that_it_needs_later():
    """What is imported when it is first used, since every start would pay for it."""
    later = (
        "networkx",
        "wakepy",
        "difflib",
        "xml.etree.ElementTree",
        "PySide6.QtNetwork",
        "ponystudio.api.values",
        "ponystudio.app.gallery.picture_view",
        "ponystudio.app.window.drop_contents",
        "ponystudio.diffusion.families",
        "ponystudio.library.recognition.recognise",
        "ponystudio.library.formats.weights_file",
        "ponystudio.studio.results.comparison",
    )
    assert (
        loaded("import ponystudio.app.studio_main, ponystudio.app.window.main_window", later) == []
    )
