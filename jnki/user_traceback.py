"""Tracebacks that show the user's lines and leave out those of the machinery around them."""

import importlib
import os
import runpy
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType

FULL_TRACEBACK_VARIABLE = "JNKI_FULL_TRACEBACK"

_HIDDEN_PACKAGES = ("jnki", "jax", "jaxlib")
_HINT = f"jnki: frames inside jnki and jax are left out ({FULL_TRACEBACK_VARIABLE}=1 shows them)\n"


def excepthook(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
    """Prints an uncaught exception with the user's frames only; a `sys.excepthook`.

    Notes, causes and contexts are printed as Python does, each with its own frames cut in the same way. With
    `JNKI_FULL_TRACEBACK=1` in the environment nothing is cut.
    """
    if os.environ.get(FULL_TRACEBACK_VARIABLE, "0") not in ("", "0"):
        sys.__excepthook__(kind, error, tb)
        return
    report = traceback.TracebackException(kind, error, tb)
    hint = _HINT if _hides_below_the_user(report.stack) else ""
    for part in _parts(report):
        part.stack = traceback.StackSummary.from_list([f for f in part.stack if _is_user_file(f.filename)])
    sys.stderr.write(hint + "".join(report.format()))


def has_user_frames(error: BaseException) -> bool:
    """Whether the exception passed through any line of the user's."""
    return any(_is_user_file(frame.f_code.co_filename) for frame, _ in traceback.walk_tb(error.__traceback__))


def _parts(report: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """The report and every cause, context and group member below it; Python has broken cycles already."""
    waiting: list[traceback.TracebackException | None] = [report]
    while waiting:
        part = waiting.pop()
        if part is not None:
            yield part
            waiting += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]


def _hides_below_the_user(stack: traceback.StackSummary) -> bool:
    shown = [_is_user_file(frame.filename) for frame in stack]
    return any(shown) and not shown[-1]


def _is_user_file(filename: str) -> bool:
    if filename.startswith(("<frozen importlib", "<frozen runpy")) or filename == runpy.__file__:
        return False
    return not filename.startswith(_hidden_folders())


def _hidden_folders() -> tuple[str, ...]:
    """Folders of the packages whose frames are left out; one that is not imported has no frames."""
    packages = [sys.modules[name] for name in _HIDDEN_PACKAGES if name in sys.modules]
    return tuple(os.path.join(os.path.abspath(folder), "") for p in (*packages, importlib) for folder in p.__path__)
