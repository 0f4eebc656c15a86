"""What freezes the studio while it is restored does so once, not at each start."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from helpers.frozen_start import TITLE, Start
from helpers.graphs import picture
from ponystudio.graph.formats import graph_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def begin(home):
    begun = []

    def begin(how: str, *files) -> Start:
        begun.append(Start(home, how, files))
        return begun[-1]

    yield begin
    for start in begun:
        start.kill()


@pytest.fixture
def files(tmp_path):
    graph = picture()
    node = next(iter(graph.nodes.values()))
    bad = replace(graph, nodes={**graph.nodes, node.id: replace(node, title=TITLE)})
    good, freezing = tmp_path / "good.json", tmp_path / "bad.json"
    graph_file.write(graph, good)
    graph_file.write(bad, freezing)
    return good, freezing


def freeze(start: Start) -> None:
    start.until_frozen()
    start.kill()


@pytest.mark.parametrize("how", ["making", pytest.param("waiting", marks=pytest.mark.campaign)])
def test_a_document_that_freezes_the_window_is_not_restored_again(begin, files, how):
    start = begin("nothing", *files)
    start.until(lambda told: told["open"] == ["good", "bad"])
    start.close()
    freeze(begin(how))
    start = begin(how)
    told = start.until(lambda told: told["offered"])
    assert told["open"] == ["good"]
    assert told["held"] == [["document", "bad", 1]]
    start.ask("open 0")  # against all advice
    freeze(start)
    start = begin(how)
    told = start.until(lambda told: told["offered"])
    assert told["held"] == [["document", "bad", 2]]


def test_a_file_that_is_named_opens_but_not_for_ever(begin, files):
    good, bad = files
    freeze(begin("making", bad))
    start = begin("making")  # what it was doing is not done again unasked
    told = start.until(lambda told: told["offered"])
    assert told["held"] == [["document", "bad", 1]]
    start.close()
    freeze(begin("making", bad))  # asked for once more
    start = begin("making", bad, good)  # a session that always starts it so
    told = start.until(lambda told: "good" in told["open"])
    assert told["open"] == ["good"]
    assert told["held"] == [["document", "bad", 2]]


@pytest.mark.campaign
def test_a_document_that_freezes_when_it_is_drawn(begin, files):
    start = begin("nothing", *files)
    start.until(lambda told: told["open"] == ["good", "bad"])
    start.close()
    freeze(begin("drawing"))
    assert begin("drawing").until(lambda told: told["offered"])["open"] == ["good"]


@pytest.mark.campaign
def test_a_layout_that_freezes_the_window_is_left_out(begin):
    start = begin("nothing")
    start.until(lambda told: told["open"])
    start.close()
    freeze(begin("layout"))
    start = begin("layout")
    assert start.until(lambda told: told["offered"])["held"] == [["settings", "", 1]]
    start.close()
    start = begin("nothing")  # it is kept until somebody decides
    assert start.until(lambda told: told["offered"])["held"] == [["settings", "", 1]]
    start.ask("open 0")
    start.until(lambda told: not told["held"])


@pytest.mark.campaign
def test_a_queue_that_freezes_the_window_is_left_out(begin, files):
    start = begin("nothing", files[0])
    start.until(lambda told: told["open"] == ["good"])
    start.ask("job")
    start.until(lambda told: told["jobs"] == 1)
    start.close()
    freeze(begin("queue"))
    start = begin("queue")
    assert start.until(lambda told: told["offered"])["held"] == [["queue", "", 0]]
    start.close()
    start = begin("nothing")
    assert start.until(lambda told: told["offered"])["jobs"] == 0
    start.ask("open 0")
    start.until(lambda told: told["jobs"] == 1 and not told["held"])


@pytest.mark.campaign
def test_who_has_seen_it_work_is_not_bothered_after_a_kill(begin, files):
    """Nor is anybody whom the machine's end found in the first seconds kept from the rest."""
    start = begin("nothing", files[0])
    start.until(lambda told: told["open"] == ["good"] and not told["unsettled"])
    start.kill()
    told = begin("nothing").until(lambda told: told["open"] == ["good"])
    assert not told["held"]
