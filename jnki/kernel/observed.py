"""Being told of every kernel that is recorded, by whoever calls it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jnki.errors import RuleError
from jnki.program.program import Program

# Of a recording: the kernel's name, and its program or the rule that it breaks.
Observer = Callable[[str, Program | RuleError], None]

_OBSERVERS: ContextVar[tuple[Observer, ...]] = ContextVar("jnki_observers", default=())


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Inside, `observer` is told of each recording: the first call of a kernel with arguments of these shapes."""
    token = _OBSERVERS.set((*_OBSERVERS.get(), observer))
    try:
        yield
    finally:
        _OBSERVERS.reset(token)


@contextmanager
def observed(name: str) -> Iterator[Callable[[Program], None]]:
    """Around a recording: what is given is to be called with its program; an error is told as it passes."""
    observers = _OBSERVERS.get()

    def tell(found: Program | RuleError) -> None:
        for observer in observers:
            observer(name, found)

    try:
        yield tell
    except RuleError as error:
        tell(error)
        raise
