"""The parts without a widget, as the settings want them."""

from __future__ import annotations

import os

from helpers.running import until
from ponystudio.app.window.services import Services
from ponystudio.engine.protocol.worker_messages import WorkerReady
from ponystudio.graph.catalog import Catalog
from ponystudio.studio.settings import Settings


def test_the_oldest_of_what_was_only_shown_goes_at_the_next_start(qapp, monkeypatch):
    monkeypatch.setattr("ponystudio.app.window.services.PREVIEWS_BYTES", 500)
    running = Services(Settings())
    monkeypatch.setattr(running.worker, "start", lambda: None)
    monkeypatch.setattr(running.worker, "show_previews", lambda on: None)
    folder = running.runner.folders.previews
    folder.mkdir(parents=True)
    for number in range(10):
        (folder / f"{number}.png").write_bytes(b"x" * 100)
        os.utime(folder / f"{number}.png", (number, number))
    running.start()
    running.close()
    assert sorted(path.name for path in folder.iterdir()) == [f"{n}.png" for n in range(6, 10)]


def test_settings_are_followed(home, monkeypatch):
    settings = Settings()
    services = Services(settings)
    restarts = []
    monkeypatch.setattr(services.worker, "restart", restarts.append)
    settings.set("seed_mode", "fixed")
    assert services.runner.seed_mode == "fixed"
    services.runner.set_seed_mode("next")
    assert settings.get("seed_mode") == "increment"
    settings.set("device", "cpu")
    settings.set("dtype", "bf16")
    until(lambda: restarts)
    (wanted,) = restarts
    assert (wanted.device, wanted.dtype) == ("cpu", "bf16")
    services.close()


def test_a_device_that_is_not_here_leaves_the_engine_as_it_is(home, monkeypatch):
    settings, told, restarts = Settings(), [], []
    services = Services(settings)
    services.notice.connect(told.append)
    worker = services.worker
    monkeypatch.setattr(worker, "restart", restarts.append)
    worker.about = WorkerReady(
        "CPU, fp32", "CPU", "", [], Catalog([]).to_json(), {"cpu": "CPU with 2 threads"}
    )
    settings.set("device", "rocm")
    (notice,) = told
    assert "rocm" in notice.title
    assert "CPU" in notice.text
    settings.set("dtype", "fp16")  # what comes after it is followed
    until(lambda: restarts)
    assert len(restarts) == 1
    settings.set("device", "cpu")
    until(lambda: len(restarts) == 2)
    services.close()
