"""Strategies of hypothesis for what is static about a test: shapes, types, access patterns, index tiles, small kernels.

Hypothesis draws and shrinks structure; contents are drawn by `check`, thousands at once:

    @given(strategies.copies())
    def test_copies(copy):
        testing.check(copy.kernel, *copy.domains, against=copy.reference, faults=copy.faults, trivial=("input",))

Hypothesis is an optional dependency: `pip install 'jnki[hypothesis]'`. Nothing else in jnki imports this module.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jnki.access.index import arange
from jnki.access.ref import hbm, sbuf
from jnki.dtypes import ALL, ElementType, tfloat32
from jnki.isa.dma.dma_copy import dma_copy
from jnki.memory import DeviceMemory, Fault
from jnki.testing.domains import Domain, bits, floats, rows
from jnki.testing.shapes import Shape

LARGEST_SIDE = 8


def element_types(*, floats_only: bool = False) -> st.SearchStrategy[ElementType]:
    """Types that an array from outside can have: all but tfloat32."""
    return st.sampled_from([t for t in ALL if t != tfloat32 and (t.is_float or not floats_only)])


def shapes(
    *, partitions: int = LARGEST_SIDE, side: int = LARGEST_SIDE, min_axes: int = 2, max_axes: int = 3
) -> st.SearchStrategy[Shape]:
    """Shapes of tiles: up to `partitions` rows, other axes up to `side`."""
    free = st.lists(st.integers(1, side), min_size=min_axes - 1, max_size=max_axes - 1)
    return st.tuples(st.integers(1, partitions), free).map(lambda drawn: (drawn[0], *drawn[1]))


@st.composite
def patterns(draw: st.DrawFn, size: int, shape: Shape) -> tuple[int, list[tuple[int, int]]]:
    """A start and `[step, count]` pairs of `shape` that stay inside of a buffer of `size` elements.

    Steps may be zero or make elements overlap: such a pattern can be read, not written.
    """
    room, pairs = size - 1, []
    for count in shape:
        step = draw(st.integers(0, room // (count - 1) if count > 1 else 0))
        room -= step * (count - 1)
        pairs.append((step, count))
    return draw(st.integers(0, room)), pairs


def index_tiles(
    *, count: int | None = None, largest: int = LARGEST_SIDE, outside: float = 0.05
) -> st.SearchStrategy[tuple[Domain, int]]:
    """Domains of row indices `[P, 1]`, and the size of the axis that they index."""
    rows_of = st.integers(1, largest) if count is None else st.just(count)
    return st.tuples(rows_of, st.integers(1, largest)).map(
        lambda drawn: (rows((drawn[0], 1), size=drawn[1], outside=outside), drawn[1])
    )


@dataclass(frozen=True)
class Drawn:
    """A small kernel with its domains and its reference in NumPy.

    Attributes:
        kernel: a function of JAX's that gives outputs and a fault.
        domains: one per argument.
        reference: one case at a time.
        faults: which cases fault, as `check` takes it.
    """

    name: str
    kernel: Callable[..., Any]
    domains: tuple[Domain, ...]
    reference: Callable[..., Any]
    faults: Any = "match"

    def __repr__(self) -> str:
        return self.name


@st.composite
def copies(draw: st.DrawFn) -> Drawn:
    """A DMA that reads an access pattern of an HBM tensor into a whole tile."""
    source, dtype = draw(shapes()), draw(element_types())
    shape = draw(shapes(max_axes=2))
    start, pairs = draw(patterns(math.prod(source), shape))

    def kernel(x: Any) -> tuple[Any, Fault]:
        memory = DeviceMemory.of(hbm={"x": x}, sbuf={"tile": np.zeros(shape, dtype.storage)})
        memory = dma_copy(memory, dst=sbuf("tile"), src=hbm("x").ap(pairs, start))
        return memory.sbuf["tile"], memory.fault

    def reference(x: Any) -> Any:
        places = start + sum(
            step * np.arange(count).reshape([-1 if a == axis else 1 for a in range(len(shape))])
            for axis, (step, count) in enumerate(pairs)
        )
        return np.asarray(x).reshape(-1)[places]

    return Drawn(f"copy of {pairs} from {start} of {dtype}{list(source)}", kernel, (bits(source, dtype),), reference)


@st.composite
def gathers(draw: st.DrawFn) -> Drawn:
    """A row gather under a mask, whose index tile is out of bounds now and then."""
    count, columns = draw(st.integers(1, LARGEST_SIDE)), draw(st.integers(1, LARGEST_SIDE))
    index, size = draw(index_tiles(count=count))
    kept = draw(st.integers(1, count))

    def kernel(table: Any, rows: Any) -> tuple[Any, Fault]:
        memory = DeviceMemory.of(
            hbm={"table": table}, sbuf={"rows": rows, "tile": np.zeros((count, columns), np.float32)}
        )
        mask = None if kept == count else arange(count)[:, None] < kept
        memory = dma_copy(memory, dst=sbuf("tile"), src=hbm("table")[sbuf("rows"), :], mask=mask)
        return memory.sbuf["tile"], memory.fault

    def reference(table: Any, rows: Any) -> Any:
        out = np.zeros((count, columns), np.float32)
        out[:kept] = np.asarray(table)[np.clip(np.asarray(rows)[:kept, 0], 0, size - 1)]
        return out

    def faults(table: Any, rows: Any) -> tuple[int, int] | None:
        read = np.asarray(rows)[:kept, 0]  # a row that the mask leaves off is not checked
        bad = read[(read < 0) | (read >= size)]
        return (int(bad[0]), size) if len(bad) else None

    domains = (floats((size, columns)), index)
    return Drawn(f"gather of {kept} of {count} rows of {size}x{columns}", kernel, domains, reference, faults)


def kernels() -> st.SearchStrategy[Drawn]:
    """Any of the small kernels above."""
    return copies() | gathers()
