"""What Python carries from one iteration of a loop to the next: all that its variables reach, as plain data.

A state is a graph. What cannot change stands for itself; what can (lists, dicts, objects, closures, globals, iterators,
arrays) is a node with what it holds. Two states agree where the graphs do, whatever the addresses: a list that is made
anew in each iteration with the same contents is the same, two lists that change places are not.

Not seen is what hides in objects that neither Python nor pickling can look into (open files, generators written in C),
in libraries, and outside of the process.
"""

import dataclasses
import types
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.isa.constants import exact
from jnki.record.contents import Unseen, contents
from jnki.record.put_back import restorers

# Who would look further would see data. Nobody knows then, and loops are unrolled.
_MOST_NODES = 50_000
_PLAIN = frozenset((int, str, bytes, bool, type(None), complex, range, type(...), type(NotImplemented), types.CodeType))
_MISSING = object()


class PythonState:
    """The state that some roots reach, at the time when this is made.

    Attributes:
        roots: a token per root: a value that cannot change, or the number of a node.
        nodes: contents of what can change, as tokens, by number.
        is_complete: False where there was too much to look at.
    """

    def __init__(self, roots: dict[str, Any], loop_of: Callable[[Symbol], Any] = lambda symbol: symbol):
        """Looks at everything that the roots reach.

        Args:
            roots: values by name.
            loop_of: what a loop index stands for: itself, or, where its loop is over, that loop.
        """
        self.nodes: dict[int, tuple[Any, ...]] = {}
        self._loop_of = loop_of
        self._waiting: list[Any] = []
        self._seen: list[Any] = []  # kept alive: the number of an object that is gone could become that of another
        self.roots = {name: self._token(value) for name, value in roots.items()}
        while self._waiting and len(self.nodes) <= _MOST_NODES:
            value = self._waiting.pop()
            try:
                self.nodes[id(value)] = (type(value), *map(self._token, contents(value)))
            except Unseen:
                self.nodes[id(value)] = (_Itself(value),)
        self.is_complete = not self._waiting

    def agrees(self, other: "PythonState", names: Iterable[str]) -> bool:
        """Whether both are one graph, seen from the roots of these names."""
        if not (self.is_complete and other.is_complete):
            return False
        here: dict[int, int] = {}
        there: dict[int, int] = {}
        pairs = [(self.roots.get(name, _MISSING), other.roots.get(name, _MISSING)) for name in names]
        while pairs:
            a, b = pairs.pop()
            if type(a) is not type(b):
                return False
            if type(a) is _Node:
                if a.number in here or b.number in there:
                    if here.get(a.number) != b.number or there.get(b.number) != a.number:
                        return False
                    continue
                here[a.number], there[b.number] = b.number, a.number
                a, b = self.nodes[a.number], other.nodes[b.number]
            if type(a) is tuple:
                if len(a) != len(b):
                    return False
                pairs.extend(zip(a, b))
            elif a is not b and a != b:
                return False
        return True

    def undo(self) -> Callable[[], None]:
        """A function that puts everything that was seen back to how it is now."""
        steps = [step for value in self._seen for step in restorers(value)]

        def put_back() -> None:
            for step in steps:
                step()

        return put_back

    def _token(self, value: Any) -> Any:
        kind: Any = type(value)
        if kind in _PLAIN:
            return value
        if kind is tuple:
            return tuple(map(self._token, value))
        if kind is slice:
            return (kind, self._token(value.start), self._token(value.stop), self._token(value.step))
        if kind is float:
            return exact(value)
        if kind is Symbol:
            return self._loop_of(value)
        if kind is Affine:
            return (value.constant, frozenset((self._loop_of(symbol), factor) for symbol, factor in value.terms))
        if kind is Access and not value.symbols:
            return value
        if fields := _fields_of(kind):
            return (kind, *(self._token(getattr(value, name)) for name in fields))
        if isinstance(value, np.generic):
            return (kind, value.tobytes())
        if id(value) not in self.nodes:
            self.nodes[id(value)] = ()
            self._seen.append(value)
            self._waiting.append(value)
        return _Node(id(value))


class _Node:
    """The number of a node."""

    __slots__ = ("number",)

    def __init__(self, number: int):
        self.number = number


class _Itself:
    """An object that stands for itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Itself) or type(self.value) is not type(other.value):
            return False
        return self.value is other.value or _is_equal_data(self.value, other.value)

    __hash__ = object.__hash__


def _is_equal_data(a: Any, b: Any) -> bool:
    """Whether two objects are equal and say, by having a hash, that they will stay so: paths, dates, element types."""
    try:
        return hash(a) == hash(b) and bool(a == b)
    except Exception:  # an object of a library's can raise anything
        return False


@lru_cache(maxsize=1024)
def _fields_of(kind: type) -> tuple[str, ...]:
    """The fields of the frozen values that say where elements are: indices, masks, accesses."""
    if str(kind.__module__).startswith("jnki.access.") and dataclasses.is_dataclass(kind):
        return tuple(f.name for f in dataclasses.fields(kind))
    return ()
