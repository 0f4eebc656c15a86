import subprocess
import sys
import textwrap

from ponystudio.api.node import nodes_in
from ponystudio.engine import pack_trial
from ponystudio.engine.node_packs import NodePacks, load_packs

GOOD = '''
from ponystudio.api import node

@node("mine.double")
def double(a: float) -> float:
    """Twice."""
    return 2 * a
'''


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return folder


def test_built_in_nodes_come_through_the_same_door(tmp_path):
    packs = load_packs(tmp_path)
    assert packs.catalog.problems == ()
    assert packs.catalog["core.sample"].pack == "core"
    assert packs.types["core.sample"].spec is packs.catalog["core.sample"]
    assert any(path.name == "sampling.py" for path in packs.sources["core"])


def test_a_single_file_is_a_pack(tmp_path):
    packs = load_packs(write(tmp_path, good=GOOD))
    assert packs.catalog["mine.double"].pack == "good.py"
    assert packs.types["mine.double"].function(2.0) == 4.0
    assert packs.sources["good.py"] == (tmp_path / "good.py",)


def test_a_pack_that_fails_is_a_problem_and_the_others_stay(tmp_path):
    folder = write(
        tmp_path,
        absent="import a_package_that_is_not_there",
        broken="def (",
        exits="import sys; sys.exit(3)",
        good=GOOD,
        wrong="""
            from ponystudio.api import node

            @node("mine.wrong")
            def wrong(*values: float) -> float:
                return 0.0
        """,
    )
    packs = load_packs(folder)
    assert "mine.double" in packs.types
    said = {problem.pack: problem.error for problem in packs.catalog.problems}
    assert set(said) == {"absent.py", "broken.py", "exits.py", "wrong.py"}
    assert "a_package_that_is_not_there" in said["absent.py"]
    assert "SyntaxError" in said["broken.py"]


def test_nodes_of_another_pack_cannot_be_replaced(tmp_path):
    packs = load_packs(write(tmp_path, thief=GOOD.replace("mine.double", "core.sample")))
    assert packs.catalog["core.sample"].pack == "core"
    assert packs.types["core.sample"].function.__name__ == "sample"
    (problem,) = packs.catalog.problems
    assert problem.pack == "thief.py"


def test_what_a_pack_imports_from_another_is_not_declared_again(tmp_path):
    folder = write(
        tmp_path,
        user="from ponystudio_nodes.sampling import sample\n" + GOOD,
    )
    packs = load_packs(folder)
    assert packs.catalog.problems == ()
    assert [spec.id for spec in packs.catalog.values() if spec.pack == "user.py"] == ["mine.double"]


def test_prints_of_packs_stay_out_of_the_output(tmp_path):
    write(tmp_path, loud="print('hello from a pack')")
    code = (
        "import sys, pathlib\n"
        "from ponystudio.engine.node_packs import load_packs\n"
        "load_packs(pathlib.Path(sys.argv[1]))\n"
        "assert 'torch' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert result.stdout == ""
    assert "hello from a pack" in result.stderr


def test_upgrades_are_known_by_kind():
    def old_to_new(params):
        return params

    scope: dict[str, object] = {"upgrade": old_to_new}
    exec(
        "from ponystudio.api import node\n"
        "@node('mine.two', version=2, upgrades={1: upgrade})\n"
        "def two() -> float:\n    return 2.0\n",
        scope,
    )
    found = nodes_in(type("M", (), scope))
    assert NodePacks.of(found).upgrades == {"mine.two": {1: old_to_new}}


# A pack's modules run when they are imported, and may do anything.
NEVER_LOADED = {
    "loops": "while True: pass",
    "holds_on": """
        while True:
            try:
                raise KeyboardInterrupt
            except BaseException:
                pass
    """,
    "sleeps": "import time; time.sleep(10**6)",
    "holds_the_lock": "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
    "ends": "import os; os._exit(0)",
    "crashes": "import ctypes; ctypes.string_at(0)",
}


def test_what_never_comes_to_an_end_is_a_problem_and_the_others_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_trial, "QUIET", 2.0)
    folder = write(tmp_path, **NEVER_LOADED, good=GOOD, zz_reads="input()")
    packs = load_packs(folder)
    assert "mine.double" in packs.types
    said = {problem.pack: problem.error for problem in packs.catalog.problems}
    assert set(said) == {f"{name}.py" for name in NEVER_LOADED} | {"zz_reads.py"}
    for name in ("loops", "holds_on", "sleeps", "holds_the_lock"):
        assert "within 2 s" in said[f"{name}.py"]
    assert "exit code 0" in said["ends.py"]
    assert "it ends the process" in said["crashes.py"]
    assert "EOFError" in said["zz_reads.py"]


def test_a_pack_that_imports_much_has_the_time_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_trial, "QUIET", 2.0)
    slow = tmp_path / "slow"
    slow.mkdir()
    for at in range(12):
        (slow / f"part_{at}.py").write_text("import time; time.sleep(0.25)")
    imports = "\n".join(f"import part_{at}" for at in range(12))
    packs = load_packs(
        write(tmp_path, much=f"import sys; sys.path.append({str(slow)!r})\n{imports}\n" + GOOD)
    )
    assert packs.catalog.problems == ()
    assert "mine.double" in packs.types


def test_without_packs_of_others_no_process_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: 1 / 0)
    assert "core.sample" in load_packs(tmp_path).types
