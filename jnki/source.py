"""Where in the user's source an instruction was written, and by which function of NKI."""

import linecache
import os
import sys
import warnings
from contextvars import ContextVar
from dataclasses import dataclass
from types import FrameType

_CALLED: ContextVar[str | None] = ContextVar("jnki_called", default=None)
_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


@dataclass(frozen=True, slots=True)
class Location:
    """A line of the user's source.

    Attributes:
        file: path as Python knows it.
        line: one-based line number.
        function: name of the enclosing function.
    """

    file: str
    line: int
    function: str

    @property
    def text(self) -> str:
        """The source line itself, stripped, or an empty string where Python cannot find it."""
        return linecache.getline(self.file, self.line).strip()

    def short(self) -> str:
        """`file.py:12`, for listings."""
        return f"{os.path.basename(self.file)}:{self.line}"

    def describe(self) -> str:
        """`path/file.py:12 in kernel` and the source line, for messages."""
        text = self.text
        return f"{self.file}:{self.line} in {self.function}" + (f"\n     {text}" if text else "")


def user_frame() -> FrameType | None:
    """The innermost frame that belongs to no file of this package, or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return frame


def asked_by_user() -> bool:
    """Whether the user's code calls the method that asks, and not jnki's own."""
    return not sys._getframe(2).f_code.co_filename.startswith(_PACKAGE)


def user_location() -> Location | None:
    """The innermost line of the user's source on the call stack, or None.

    Where JAX calls a kernel, as `jax.jit(kernel)(x)` does, it is the line that calls JAX.
    """
    frame = user_frame()
    if frame is not None and "jax" in frame.f_code.co_filename:
        machinery = (_PACKAGE, *_jax_folders())
        while frame is not None and frame.f_code.co_filename.startswith(machinery):
            frame = frame.f_back
    if frame is None:
        return None
    return Location(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _jax_folders() -> tuple[str, ...]:
    folders = getattr(sys.modules.get("jax"), "__path__", ())
    return tuple(os.path.abspath(folder) + os.sep for folder in folders)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the user's line: the innermost one that is neither in this package nor in JAX."""
    machinery = (_PACKAGE, *_jax_folders())
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(machinery):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, category, stacklevel=depth)


class calling:
    """Inside, the user has called the function that is spelled `name`; the outermost one counts."""

    __slots__ = ("_name", "_token")

    def __init__(self, name: str):
        self._name = name

    def __enter__(self) -> None:
        self._token = _CALLED.set(_CALLED.get() or self._name)

    def __exit__(self, *_: object) -> None:
        _CALLED.reset(self._token)


def called() -> str | None:
    """The function of NKI that the user's line calls, as it is spelled there; None where that is not known."""
    return _CALLED.get()
