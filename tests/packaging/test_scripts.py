"""The set-up scripts, as far as they can be tried without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import pytest

bash = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.fixture
def shell(pytestconfig, tmp_path):
    """Runs bash in the checkout, with the virtual environment of the scripts somewhere else."""

    def run(*words):
        return subprocess.run(
            ["bash", *words],
            cwd=pytestconfig.rootpath,
            env={**os.environ, "PONYSTUDIO_VENV": str(tmp_path / "venv")},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@bash
@pytest.mark.parametrize(
    "words",
    [
        ["packaging/start.sh", "now"],
        ["packaging/start.sh", "--torch"],
        ["packaging/start.sh", "--torch", "gpu"],
        ["packaging/test.sh", "--torch"],
        ["packaging/test.sh", "--torch", "gpu"],
    ],
    ids=" ".join,
)
def test_what_is_not_understood_installs_nothing(words, shell, tmp_path):
    result = shell(*words)
    assert result.returncode == 1
    assert "--torch" in result.stderr
    assert "==" not in result.stdout
    assert list(tmp_path.iterdir()) == []


@bash
@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="needs Debian's package manager")
@pytest.mark.parametrize(("package", "there"), [("dpkg", True), ("no-such-package", False)])
def test_packages_that_are_there_are_known(package, there, shell):
    code = f"set -uo pipefail; source packaging/setup.sh; is_installed {package}"
    assert (shell("-c", code).returncode == 0) == there


@bash
def test_the_requirement_of_torch_is_found(shell, pytestconfig):
    project = tomllib.loads((pytestconfig.rootpath / "pyproject.toml").read_text("utf-8"))
    code = 'source packaging/setup.sh; "$0" -c "$torch_requirement" pyproject.toml'
    result = shell("-c", code, sys.executable)
    assert result.stdout.strip() in project["project"]["dependencies"]
    assert result.stdout.startswith("torch>=")


def test_every_package_is_installed_by_a_wheel(pytestconfig):
    root = pytestconfig.rootpath
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    folders = {
        ".".join(path.parent.relative_to(root).parts)
        for path in (root / "ponystudio").rglob("__init__.py")
    }
    listed = set(project["tool"]["setuptools"]["packages"])
    assert listed == folders | {"ponystudio_nodes", "ponystudio_resources"}


@pytest.mark.parametrize(
    ("marks", "memory", "processes"),
    [
        ("not gpu and not benchmark", 2**40, 4),
        ("not gpu and not benchmark", 7 * 2**30, 2),
        ("not gpu and not benchmark", 2**30, 0),
        ("benchmark", 2**40, 0),
        ("campaign and not full", 2**40, 0),
    ],
)
def test_a_process_of_tests_a_core(marks, memory, processes, pytestconfig, monkeypatch):
    """As far as the memory reaches; what measures or attacks has the machine for itself."""
    conftest = pytestconfig.pluginmanager.get_plugin(
        str(pytestconfig.rootpath / "tests/conftest.py")
    )
    config = SimpleNamespace(option=SimpleNamespace(markexpr=marks))
    monkeypatch.setattr(
        conftest.psutil.Process, "cpu_affinity", lambda _: [*range(4)], raising=False
    )
    monkeypatch.setattr(
        conftest.psutil, "virtual_memory", lambda: SimpleNamespace(available=memory)
    )
    assert conftest.pytest_xdist_auto_num_workers(config) == processes


def test_continuous_integration_runs_the_readme_command(pytestconfig):
    readme = (pytestconfig.rootpath / "README.md").read_text("utf-8")
    assert "\nbash packaging/test.sh\n" in readme
    assert "packaging/test.sh" in (pytestconfig.rootpath / ".ci" / "run").read_text("utf-8")
