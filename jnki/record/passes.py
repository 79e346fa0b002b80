"""The two passes in which a nest of loops is recorded.

The outermost loop has its body recorded for one iteration and for the next, and each loop inside of it once in each
pass. That is enough to know that all iterations of all loops are the same:

    pass 1    before -- body -- after 1          the outer loop compares the bodies, and what Python holds behind them
    pass 2    before 2 -- body -- after 2        an inner loop compares what Python holds: before 2, after 2, after 1

In the second pass an iteration of the inner loop leaves what it found, so that all that follow find the same and do the
same. In the first pass it left just that as well, so that those that follow there are like those of the second pass.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jnki.record.frame_state import FrameState


class Passes:
    """Which pass is being recorded, and what the loops inside of it left behind."""

    def __init__(self) -> None:
        self._number = 0
        self._first: list[tuple[Any, FrameState]] = []
        self._position = 0

    @property
    def is_open(self) -> bool:
        """Whether a loop around what is recorded now is recorded twice."""
        return self._number > 0

    @property
    def is_second(self) -> bool:
        return self._number == 2

    @property
    def mark(self) -> str:
        """What tells the loop indices of the second pass from those of the first."""
        return "'" if self.is_second else ""

    @contextmanager
    def first(self) -> Iterator[None]:
        self._first.clear()
        self._number = 1
        yield
        self._number = 0

    @contextmanager
    def second(self) -> Iterator[None]:
        self._position, self._number = 0, 2
        yield
        self._number = 0

    def is_as_before(self, key: Any, before: FrameState | None, after: FrameState) -> bool:
        """Whether an iteration of a loop inside may stand for all, as far as is known in this pass.

        Args:
            key: the loop.
            before, after: what Python holds around the iteration; `before` only in the second pass.
        """
        if before is None:
            self._first.append((key, after))
            return True
        if self._position == len(self._first):
            return False
        known, first_after = self._first[self._position]
        self._position += 1
        return known == key and before.agrees(after, within=True) and first_after.agrees(after, within=False)
