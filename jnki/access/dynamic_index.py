"""`tile[0, i] + nl.arange(...)`: an index that a number from memory moves as a whole."""

from dataclasses import dataclass
from typing import Any

from jnki.access.access import Access
from jnki.access.index import Index


@dataclass(frozen=True)
class DynamicIndex:
    """A static index plus what one element of a tile holds when the kernel runs.

    Attributes:
        access: the element; what has an access stands for a tile in a subscript.
        index: the static part.
    """

    access: Access
    index: Index

    @property
    def ndim(self) -> int:
        return max(self.index.ndim, len(self.access.dims))

    def __carried__(self) -> tuple[Any, ...]:
        """What a loop can carry in it from one iteration to the next."""
        return self.access, self.index

    def __add__(self, other: Any) -> Any:
        moved = self.index + other
        return DynamicIndex(self.access, moved) if isinstance(moved, Index) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        moved = self.index - other
        return DynamicIndex(self.access, moved) if isinstance(moved, Index) else NotImplemented
