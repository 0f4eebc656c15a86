"""Ten thousand runs of a tiny graph in one session, with 50 MB for results: neither the studio nor
its worker grows.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from helpers.running import runner_for, until
from ponystudio.engine.protocol.worker_messages import WorkerSettings
from ponystudio.graph.editing.edits import SetParam
from ponystudio.graph.model import Graph, Link, Node
from ponystudio.studio.documents.document import Document
from ponystudio.studio.documents.journal import Journal
from ponystudio.studio.documents.journal_writer import JournalWriter
from ponystudio.studio.worker.worker_session import WorkerSession

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(3600)]
# After WARM runs all that has a bound has come to it, but for numbers among the results: the tier
# counts a kilobyte each for them, and lets go of pictures.
RUNS, WARM, EVERY = 10_000, 4_000, 1_000
TIER = 50 * 2**20

# A result is 48 kB: after a thousand runs the tier is full.
PACK = """
import gc, json
from ponystudio.api import Context, Image, node

@node("soak.level")
def level(*, value: float = 0.5) -> float:
    return value

@node("soak.picture")
def picture(a: float) -> Image:
    import torch
    return Image(torch.full((1, 3, 64, 64), a))

@node("soak.end", effects=True)
def end(image: Image, *, census: str = "", ctx: Context) -> None:
    ctx.preview(lambda: image)
    ctx.progress(1, 1)
    ctx.note("done")
    if census:
        gc.collect()
        with open(census, "w") as file:
            json.dump(len(gc.get_objects()), file)
"""
WORKER = f"""
from ponystudio.engine.cache.result_cache import ResultCache
begin = ResultCache.__init__
def small(self, **given):
    begin(self, **{{**given, "device_bytes": {TIER}, "memory_bytes": {TIER}}})
ResultCache.__init__ = small
from ponystudio.engine.worker.worker_main import main
main()
"""


@dataclass
class Census:
    """What there is of one process, and of its folders; bytes in MB."""

    resident: float
    handles: int
    threads: int
    objects: int
    files: int


def census(process: psutil.Process, objects: int, folder: Path) -> Census:
    files = sum(path.is_file() for path in folder.rglob("*"))
    resident = process.memory_info().rss / 2**20
    return Census(resident, process.num_fds(), process.num_threads(), objects, files)


@pytest.mark.skipif(sys.platform == "win32", reason="counts file descriptors")
def test_ten_thousand_runs_leave_nothing_behind(qapp, tmp_path):
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    (nodes / "soak.py").write_text(PACK)
    settings = WorkerSettings("cpu", "fp32", cache_dir=tmp_path / "cache", nodes=nodes)
    session = WorkerSession(settings, command=[sys.executable, "-c", WORKER])
    runner = runner_for(session, tmp_path)
    runner.set_seed_mode("fixed")
    session.start()
    until(lambda: session.is_ready, 120)
    graph = Graph.of(
        Node("level", "soak.level", params={"value": 0.5}),
        Node("picture", "soak.picture", inputs={"a": Link("level", "float")}),
        Node("end", "soak.end", inputs={"image": Link("picture", "image")}),
    )
    writer = JournalWriter()
    document = Document("soak", Journal(writer, tmp_path / "soak.journal"), session.catalog)
    document.start(graph, "Soak")
    runner.watch(document)
    ended: list[str] = []
    runner.job_done.connect(lambda _, how: ended.append(how))

    def run() -> None:
        before = len(ended)
        runner.run(document)
        until(lambda: len(ended) > before)

    (worker,) = [child for child in psutil.Process().children() if WORKER in child.cmdline()]
    counts: dict[str, list[Census]] = {"studio": [], "worker": []}
    for at in range(1, RUNS + 1):
        document.do(SetParam("level", "value", at / RUNS), "Level")
        run()
        if at % EVERY == 0:
            file = tmp_path / "census.json"
            document.do(SetParam("end", "census", str(file)), "Count")
            run()
            document.do(SetParam("end", "census", ""), "Count")
            gc.collect()
            objects = {"studio": len(gc.get_objects()), "worker": json.loads(file.read_text())}
            for name, process in (("studio", psutil.Process()), ("worker", worker)):
                counts[name].append(census(process, objects[name], tmp_path))
                print(at, name, counts[name][-1], flush=True)
    runner.close()
    session.close()
    document.close_journal()
    writer.stop()
    assert set(ended) == {"done"}
    for name, found in counts.items():
        first, last = found[WARM // EVERY - 1], found[-1]
        assert last.resident - first.resident < 12, name
        assert last.handles <= first.handles + 2, name
        assert last.threads <= first.threads + 2, name
        assert last.objects < 1.05 * first.objects, name
        assert last.files <= first.files + 2, name
