"""A line on the terminal about what takes long. Where standard error is no terminal there is none."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jnki.kernel.log import COMPILE, timed

# Nobody wonders before.
QUIET_SECONDS = 3.0
_EVERY_SECONDS = 1.0


@contextmanager
def progress(text: Callable[[], str]) -> Iterator[None]:
    """Inside, after some seconds, a line says what `text` says and for how long; at the end it is wiped."""
    stream = sys.stderr
    if stream is None or not stream.isatty():
        yield
        return
    started, finished = time.monotonic(), threading.Event()

    def show() -> None:
        width = 0
        wait = QUIET_SECONDS
        while not finished.wait(wait):
            wait = _EVERY_SECONDS
            line = f"jnki: {text()}, {time.monotonic() - started:.0f} s"
            stream.write("\r" + line.ljust(width))
            stream.flush()
            width = max(width, len(line))
        if width:
            stream.write("\r" + " " * width + "\r")
            stream.flush()

    thread = threading.Thread(target=show, name="jnki progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


class FirstCall:
    """A jitted function whose first call, which compiles it, is watched."""

    __slots__ = ("_function", "_is_compiled", "_text")

    def __init__(self, function: Any, text: str):
        self._function = function
        self._text = text
        self._is_compiled = False

    def __call__(self, *arrays: Any) -> Any:
        if self._is_compiled:
            return self._function(*arrays)
        with progress(lambda: self._text), timed(COMPILE, self._text):
            result = self._function(*arrays)
        self._is_compiled = True
        return result

    def lower(self, *arrays: Any) -> Any:
        return self._function.lower(*arrays)
