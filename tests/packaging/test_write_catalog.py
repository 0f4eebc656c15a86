"""The shipped catalog says what the built-in nodes say themselves."""

from __future__ import annotations

import subprocess
import sys

import ponystudio_resources


def test_the_shipped_catalog_is_up_to_date(pytestconfig):
    script = pytestconfig.rootpath / "packaging" / "write_catalog.py"
    code = f"import runpy; print(end=runpy.run_path({str(script)!r})['built_in']())"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8"
    )
    assert result.returncode == 0, result.stderr
    shipped = ponystudio_resources.path("catalog.json").read_text("utf-8")
    assert shipped == result.stdout, "run: python packaging/write_catalog.py"
