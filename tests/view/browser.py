"""Opens a page in Qt's Chromium, moves its slider, and prints what came of it: run as a program of its own."""

import json
import sys

from PyQt6.QtCore import QTimer, QUrl
from PyQt6.QtWebEngineCore import QWebEnginePage
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication

MOVE = """
(() => {
  const pixels = () => document.querySelectorAll("#patterns canvas")[1].toDataURL();
  const slider = document.querySelector("#sliders input"), before = pixels();
  slider.value = slider.max;
  slider.dispatchEvent(new Event("input"));
  return JSON.stringify({
    changed: before !== pixels(),
    label: document.getElementById("sliders").textContent,
    rows: document.querySelectorAll("#program .row").length,
    opened_ms: performance.timing.loadEventEnd - performance.timing.navigationStart,
  });
})()
"""

errors: list[str] = []


class Page(QWebEnginePage):
    def javaScriptConsoleMessage(self, level, message, line, source):
        errors.append(f"{line}: {message}")


def main() -> None:
    app = QApplication(sys.argv)
    view = QWebEngineView()
    page = Page(view)
    view.setPage(page)

    def show(result: str) -> None:
        print(json.dumps({**json.loads(result), "errors": errors}))
        app.quit()

    page.loadFinished.connect(lambda _: QTimer.singleShot(300, lambda: page.runJavaScript(MOVE, show)))
    view.load(QUrl.fromLocalFile(sys.argv[1]))
    view.show()
    QTimer.singleShot(30_000, app.quit)
    app.exec()


if __name__ == "__main__":
    main()
