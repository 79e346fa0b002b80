"""Which tensors of a recording may share one buffer, or stand in one stack.

A loop's body names one tensor where its iterations, unrolled, name one each. Either each of them lives in its iteration
alone: then the body makes it. Or they are put together:

    united   none is needed when the next is made, and that overwrites all of it: they take turns in one buffer
    stacked  they become one buffer with one more axis, and a number says which of them is meant

Tensors are numbers here. Each has a root, which stands for the buffer, and a place in its stack.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Root:
    """Tensors that are in one buffer.

    Attributes:
        kind: tensors of different kinds have nothing to do with each other.
        first, last: for each place of the stack, when it is first and last used.
        renewed: for each place, whether the first use overwrites all of it.
    """

    kind: Any
    first: list[int]
    last: list[int]
    renewed: list[bool]
    start: int = field(default=0)
    end: int = field(default=0)


class Storage:
    """All tensors of a block that can be moved, and how they were put together so far."""

    def __init__(self) -> None:
        self._parents: list[int] = []
        self._places: list[int] = []
        self._roots: list[_Root] = []

    def add(self, kind: Any, first: int, last: int, renewed: bool) -> int:
        """A new tensor, by itself.

        Args:
            kind: what it is: tensors of other kinds are not put together with it.
            first, last: when it is first and last used.
            renewed: whether the first use overwrites all of it.
        """
        number = len(self._parents)
        self._parents.append(number)
        self._places.append(0)
        self._roots.append(_Root(kind, [first], [last], [renewed], first, last))
        return number

    def find(self, tensor: int) -> tuple[int, int]:
        """The root of a tensor, and its place in the stack."""
        path, place = [], 0
        while (parent := self._parents[tensor]) != tensor:
            path.append(tensor)
            tensor = parent
        for one in reversed(path):
            place = self._places[one] + (0 if self._parents[one] == tensor else place)
            self._parents[one], self._places[one] = tensor, place
        return tensor, place

    def size(self, root: int) -> int:
        """How many tensors the stack of this root has."""
        return len(self._roots[root].first)

    def is_within(self, root: int, start: int, end: int) -> bool:
        """Whether all that is in this buffer is used between two times only."""
        return start <= self._roots[root].start and self._roots[root].end <= end

    def can_unite(self, earlier: int, later: int) -> bool:
        """Whether the tensors of one root are not needed when those of the other begin, place by place."""
        a, b = self._roots[earlier], self._roots[later]
        if a.kind != b.kind or len(a.first) != len(b.first):
            return False
        return all(b.renewed) and all(last < first for last, first in zip(a.last, b.first))

    def unite(self, earlier: int, later: int) -> None:
        a, b = self._roots[earlier], self._roots[later]
        a.last = b.last
        self._join(earlier, later, 0)

    def can_stack(self, below: int, above: int) -> bool:
        return bool(self._roots[below].kind == self._roots[above].kind)

    def stack(self, below: int, above: int) -> None:
        """The tensors of `above` take the places after those of `below`."""
        a, b = self._roots[below], self._roots[above]
        place = len(a.first)
        a.first += b.first
        a.last += b.last
        a.renewed += b.renewed
        self._join(below, above, place)

    def _join(self, root: int, other: int, place: int) -> None:
        a, b = self._roots[root], self._roots[other]
        self._parents[other], self._places[other] = root, place
        a.start, a.end = min(a.start, b.start), max(a.end, b.end)
