"""Mesh grids: `mgrid[0:128, 0:512]`, one index tensor per axis."""

import operator
from typing import Any

from jnki.access.index import Index
from jnki.access.index import arange as index_range
from jnki.errors import RuleError


class Grid(tuple):
    """The index tensors of a mesh grid: unpack it, or take `.p` (partition axis), `.x`, `.y`, `.z`, `.w`."""

    @property
    def p(self) -> Index:
        return self[0]

    @property
    def x(self) -> Index:
        return self[1]

    @property
    def y(self) -> Index:
        return self[2]

    @property
    def z(self) -> Index:
        return self[3]

    @property
    def w(self) -> Index:
        return self[4]


class _MeshGrid:
    """`nl.mgrid[0:128, 0:512]`: one index tensor per axis, each of the full shape `[128, 512]`."""

    def __getitem__(self, key: Any) -> Grid:
        slices = key if isinstance(key, tuple) else (key,)
        ranges = []
        for part in slices:
            if not isinstance(part, slice) or part.stop is None:
                raise TypeError("nl.mgrid takes slices with a stop, such as nl.mgrid[0:128, 0:512]")
            start = 0 if part.start is None else part.start
            step = 1 if part.step is None else operator.index(part.step)
            if step < 1:
                raise RuleError(
                    "slice.bounds", "nl.mgrid needs positive steps", given=f"step {step}", allowed="step >= 1"
                )
            length = operator.index(part.stop - start)
            ranges.append(index_range(-(-length // step)) * step + start)
        shape = tuple(r.shape[0] for r in ranges)
        return Grid(
            Index(r.base, tuple(r.steps[0] if d == axis else 0 for d in range(len(shape))), shape)
            for axis, r in enumerate(ranges)
        )


mgrid = _MeshGrid()
