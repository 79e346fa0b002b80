"""Where elements are: a start offset and a list of (step, count), in elements of a flat row-major buffer."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    """Names one flat element address for every point of the box `dims[0].count x dims[1].count x ...`.

        address(i, j, ...) = offset + i * dims[0].step + j * dims[1].step + ...

    Attributes:
        offset: the address of the first element, in elements.
        dims: one (step, count) per dimension, outermost first; a step may be zero or negative.
    """

    offset: int
    dims: Sequence[tuple[int, int]]

    @classmethod
    def whole(cls, *shape: int, offset: int = 0) -> "Pattern":
        """The pattern of a dense row-major block of `shape`."""
        steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
        return cls(offset, tuple(zip(steps, shape)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The count of every dimension."""
        return tuple(count for _, count in self.dims)

    def walk(self) -> Iterator[int]:
        """Yields the flat address of every element, in row-major order of the pattern (C2)."""
        strides = [[step * position for position in range(count)] for step, count in self.dims]
        for terms in itertools.product(*strides):
            yield self.offset + sum(terms)
