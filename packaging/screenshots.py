"""Takes the README's screenshots: the studio as it is now, with the starter model, on any display.

    xvfb-run -s "-screen 0 1920x1080x24" python packaging/screenshots.py [FOLDER]

Everything it does goes into a temporary data folder; FOLDER is packaging/screenshots by default.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

SIZE = (1600, 1000)
PATIENCE = 180.0


def main(folder: Path) -> None:
    from PySide6.QtWidgets import QApplication

    app = QApplication(sys.argv[:1])
    from ponystudio.qt.event_loop import event_loop

    with event_loop(app, already_running=True):
        shoot_all(app, folder)


def shoot_all(app, folder: Path) -> None:
    from ponystudio.app.studio_main import restored_window
    from ponystudio.studio.settings import Settings
    from ponystudio.widgets import style_sheet, theme

    settings = Settings()
    settings.set("welcomed", True)
    settings.set("seed_mode", "fixed")
    theme.use("dark")
    style_sheet.apply(app)
    window = restored_window(settings)
    window.resize(*SIZE)
    window.show()
    window.activateWindow()
    window.start()
    camera = Camera(window, folder)
    camera.wait(lambda: window.page is not None)
    camera.shoot("empty")
    window.new_default()
    camera.wait(lambda: window.services.worker.is_ready)
    camera.rest(1.0)
    camera.run(during="running")
    camera.rest(2.0)  # till its thumbnail is there
    camera.shoot("finished")
    for words in ("cat, flat, pink background", "zebra, 3d, green background"):
        camera.say(words)
        camera.run()
    camera.palette()
    camera.error()
    camera.compare()
    theme.use("light")
    camera.show_canvas()
    camera.shoot("light")
    theme.use("dark")
    camera.far_away()
    window.close()


class Camera:
    def __init__(self, window, folder: Path) -> None:
        self.window, self.folder = window, folder
        self.made = 0
        window.runner.picture_made.connect(self._count)
        folder.mkdir(parents=True, exist_ok=True)

    def _count(self, *_: object) -> None:
        self.made += 1

    @property
    def document(self):
        return self.window.documents.current

    def rest(self, seconds: float) -> None:
        from PySide6.QtTest import QTest

        QTest.qWait(round(seconds * 1000))

    def wait(self, true) -> None:
        import time

        end = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > end:
                raise TimeoutError("the studio did not come that far")
            self.rest(0.02)

    def shoot(self, name: str) -> None:
        self.rest(0.4)
        picture = self.window.grab()
        picture.save(str(self.folder / f"{name}.webp"), "WEBP", 90)
        print(self.folder / f"{name}.webp")

    def run(self, during: str = "") -> None:
        ended = []
        self.window.runner.job_done.connect(lambda _job, how: ended.append(how))
        self.window.actions_.run("run.run")
        if during:
            sampler = self.node("core.sample")
            self.wait(lambda: self.document.states[sampler].step > 8 or ended)
            self.shoot(during)
        self.wait(lambda: ended)
        self.wait(lambda: len(self.window.strip.listing.pictures) >= self.made)
        self.rest(0.8)

    def node(self, type: str) -> str:
        return next(id for id, node in self.document.graph.nodes.items() if node.type == type)

    def say(self, words: str) -> None:
        from ponystudio.graph.editing.edits import SetParam

        self.document.do(SetParam("positive", "text", words), "Change text")

    def palette(self) -> None:
        """A wire from Decode dropped on empty canvas, and some letters."""
        from PySide6.QtCore import QPointF, Qt
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication

        view, left = self.window.page.view, Qt.MouseButton.LeftButton
        socket = view.graph_scene.store.output_pos(self.node("core.decode_latent"), "image")
        start, end = (view.from_scene(at).toPoint() for at in (socket, socket + QPointF(60, 260)))
        QTest.mousePress(view.viewport(), left, pos=start)
        for step in range(1, 11):
            QTest.mouseMove(view.viewport(), start + (end - start) * step / 10)
            self.rest(0.02)
        QTest.mouseRelease(view.viewport(), left, pos=end)
        self.rest(0.3)
        QTest.keyClicks(QApplication.focusWidget(), "ima")
        self.shoot("palette")
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)

    def error(self) -> None:
        from ponystudio.graph.editing.edits import SetParam

        change = SetParam(self.node("core.load_checkpoint"), "file", "gone.safetensors")
        self.document.do(change, "Change file")
        self.window.actions_.run("run.run")
        self.rest(2.5)
        self.shoot("error")
        self.document.undo()

    def compare(self) -> None:
        paths = [picture.path for picture in self.window.results.index.latest(2)]
        self.window.page_switcher.show_pictures(paths)
        self.rest(1.0)
        self.window.actions_.run("gallery.slide")
        self.shoot("compare")

    def show_canvas(self) -> None:
        self.window.canvases.show(self.document)
        self.rest(0.5)

    def far_away(self) -> None:
        """Two thousand nodes."""
        from ponystudio.graph.model import Graph, Link, Node

        nodes, looks = {}, {}
        for n in range(2000):
            id, before = f"n{n}", f"n{n - 1}"
            inputs = {"image": Link(before, "image")} if n % 25 else {}
            nodes[id] = Node(id, "core.scale_image", inputs=inputs)
            looks[id] = {"pos": [(n % 25) * 304, (n // 25) * 208]}
        self.window.documents.new_from(Graph(nodes, view={"nodes": looks}), "Two thousand nodes")
        self.rest(1.0)
        self.window.page.view.fit()
        self.rest(1.0)
        self.shoot("far-away")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["PONYSTUDIO_HOME"] = home
        target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "screenshots"
        main(target)
