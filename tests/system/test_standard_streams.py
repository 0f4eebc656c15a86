"""Standard streams that are closed, full, or lead to nobody."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="redirections of a POSIX shell")

PROGRAM = """
import os, sys
from ponystudio.system import standard_streams
standard_streams.secure()
told = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
assert told > 2, "a file has taken the place of a stream"
failed = []
for text in ("one", "two"):
    try:
        print(text, flush=True)
    except OSError as error:
        failed.append(type(error).__name__ + str(error.errno))
    print(text, file=sys.stderr, flush=True)
sys.stdin.read()
lost = standard_streams.lost_output()
os.write(told, repr((failed, lost is not None)).encode())
"""


def said(tmp_path, redirection: str) -> tuple[object, bytes]:
    """What the program noticed, and what came out."""
    told = tmp_path / "told"
    shell = f'"$0" -c "$1" "$2" {redirection}'
    done = subprocess.run(
        ["bash", "-c", shell, sys.executable, PROGRAM, str(told)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert b"Traceback" not in done.stdout
    assert b"ignored" not in done.stdout
    assert done.returncode == 0
    return ast.literal_eval(told.read_text()), done.stdout


@pytest.mark.parametrize(
    "redirection", ["", "<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full"]
)
def test_what_is_closed_leads_nowhere(tmp_path, redirection):
    noticed, _ = said(tmp_path, redirection)
    assert noticed == ([], False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110
def test_what_is_full_is_told_once(tmp_path):
    noticed, out = said(tmp_path, ">/dev/full")
    assert noticed == (["OSError28"], True)
    assert out == b"one\ntwo\n"  # of standard error


def test_a_reader_who_left_is_told_of_once(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    told = tmp_path / "told"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(told)],
        stdin=subprocess.DEVNULL,
        stdout=writing,
        check=True,
        timeout=60,
    )
    os.close(writing)
    assert ast.literal_eval(told.read_text()) == (["BrokenPipeError32"], True)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_said_to_a_file_is_there_when_the_process_is_killed(tmp_path, unbuffered):
    program = (
        "import os, sys; from ponystudio.system import standard_streams; standard_streams.secure();"
        "print('last words', file=sys.stderr); os._exit(0)"
    )
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with (tmp_path / "log").open("w") as log:
        subprocess.run([sys.executable, "-c", program], stderr=log, env=environment, check=True)
    assert (tmp_path / "log").read_text() == "last words\n"
