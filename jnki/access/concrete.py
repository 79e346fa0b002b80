"""The signal that a kernel needs the value of a loop index, not only its symbol."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jnki.access.affine import Symbol
from jnki.source import user_location

_RAISED: ContextVar[list["NeedsConcrete"] | None] = ContextVar("jnki_signals", default=None)


class NeedsConcrete(BaseException):
    """Raised where Python asks a symbolic index for its value; the recorder unrolls the loop and starts over.

    It derives from `BaseException` so that an `except Exception` in a kernel does not swallow it. Whatever else may
    (`except:`, `contextlib.suppress`, NumPy where it tries an index), each one is kept, and the recorder looks.
    """

    def __init__(self, symbols: tuple[Symbol, ...], reason: str = "Python needs its index as a number"):
        """
        Args:
            reason: why, for those who read the log.
        """
        self.symbols = symbols
        self.reason = reason
        self.location = user_location()
        super().__init__("a loop index is needed as a concrete number: " + ", ".join(map(str, symbols)))
        raised = _RAISED.get()
        if raised is not None:
            raised.append(self)


@contextmanager
def keeping_signals() -> Iterator[list[NeedsConcrete]]:
    """Inside, every signal that is raised is in the list, in order."""
    raised: list[NeedsConcrete] = []
    token = _RAISED.set(raised)
    try:
        yield raised
    finally:
        _RAISED.reset(token)


def is_recording() -> bool:
    """Whether somebody keeps the signals."""
    return _RAISED.get() is not None
