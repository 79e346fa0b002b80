"""What the body of a loop is given when it first runs, and is given again in every other iteration.

The vendor's compiler runs the body of an `affine_range` or a `sequential_range` once, whatever Python counts in it: an
address that a kernel adds up there (`address += size`) is added up once. Here such a loop is unrolled, since its
iterations differ for Python, and the sum would grow with each of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


class Body:
    """The body of one loop that is being recorded."""

    def __init__(self) -> None:
        self.given: dict[Any, Any] = {}
        self._asked: dict[Any, int] = {}
        self.is_traced = False

    def start(self) -> None:
        """Another iteration begins."""
        self.is_traced = True
        self._asked.clear()

    def next_key(self, key: Any) -> Any:
        """`key` with a number: how often this iteration has asked for it."""
        number = self._asked.get(key, 0)
        self._asked[key] = number + 1
        return key, number


class Bodies:
    """The bodies of all loops that are open and are written to be traced once."""

    def __init__(self) -> None:
        self._open: list[Body] = []

    @contextmanager
    def loop(self) -> Iterator[Body]:
        body = Body()
        self._open.append(body)
        try:
            yield body
        finally:
            # A generator that is left early closes after the loop around it.
            if body in self._open:
                del self._open[self._open.index(body) :]

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """What `make` gave when the outermost of these bodies first asked for `key` at this point, else what it gives.

        Args:
            key: the place in the source that asks, and with what.
        """
        keys = [(body, body.next_key(key)) for body in self._open if body.is_traced]
        found = next((body.given[at] for body, at in keys if at in body.given), None)
        value: Any = make() if found is None else found
        for body, at in keys:
            body.given.setdefault(at, value)
        return value
