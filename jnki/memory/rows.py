"""Where the rows of an access start, and which of them are valid (clauses C9 and C10)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access, Indirect
from jnki.access.coordinates import coordinates, split
from jnki.memory.layout import Block
from jnki.memory.loops import Loops


def row_starts(access: Access, block: Block, at: Loops, rows: jax.Array | None) -> jax.Array:
    """Axis positions at which the window of each row of dim 0 starts: `int32[P, rank]`."""
    count = access.dims[0].count if access.dims else 1
    place = lax.iota(jnp.int32, count)
    digits = split(access.indirect.step, access.buffer.strides) if access.indirect else []
    columns = []
    for axis, index in enumerate(coordinates(access)):
        start: Any = block.axes[axis].start.evaluate(at) + (index.steps[0] if access.dims else 0) * place
        if digits and digits[axis]:
            assert rows is not None
            start = start + digits[axis] * rows
        columns.append(jnp.broadcast_to(jnp.asarray(start, jnp.int32), (count,)))
    return jnp.stack(columns, axis=1)


def static_reach(access: Access, indirect: Indirect) -> tuple[int, int, int]:
    """What the static pattern adds on the indexed axis: lowest and highest place in a row, and the step per row.

    In units of the dynamic index; loop indices do not move along an axis that is indexed dynamically.
    """
    low = high = 0
    for dim in access.dims[1:]:
        if indirect.step and dim.count > 1:
            units = _units(dim.step, indirect.step) * (dim.count - 1)
            low, high = low + min(0, units), high + max(0, units)
    start = _units(access.offset.constant, indirect.step)
    per_row = _units(access.dims[0].step, indirect.step) if access.dims and access.dims[0].count > 1 else 0
    return low + start, high + start, per_row


def _units(distance: int, step: int) -> int:
    if step == 0:
        return 0
    return distance // step if distance >= 0 else -(-distance // step)


def rows_in_bounds(access: Access, rows: jax.Array) -> jax.Array:
    """Which rows of an indirect access stay inside its axis: `bool[P]`.

    A negative index is out of bounds; nothing wraps. Indices of a uint32 tile arrive as the same bits in int32, so
    those above 2^31 are negative here, and no axis is that long.
    """
    assert access.indirect is not None
    low, high, per_row = static_reach(access, access.indirect)
    count = access.dims[0].count if access.dims else 1
    moved = per_row * lax.iota(jnp.int32, count)
    size = access.indirect.size
    return (rows >= 0) & (rows >= -(low + moved)) & (rows < size - high - moved)
