"""Where the rows of an access start, and which of them are valid (clauses C9 and C10)."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.affine import ZERO
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


def rows_in_bounds(access: Access, rows: jax.Array, at: Loops) -> jax.Array:
    """Which rows of an indirect access stay inside its axis: `bool[P]`.

    A negative index is out of bounds; nothing wraps. Indices of a uint32 tile arrive as the same bits in int32, so
    those above 2^31 are negative here, and no axis is that long.
    """
    assert access.indirect is not None
    size, count = access.indirect.size, access.dims[0].count if access.dims else 1
    valid = (rows >= 0) & (rows < size)
    if access.indirect.walks_axis:
        low, high = _static_reach(access, access.indirect.axis, at)
        valid &= (rows >= -low) & (rows < size - high)
    return jnp.broadcast_to(valid, (count,))


def per_element(of_rows: jax.Array, access: Access, shape: tuple[int, ...]) -> jax.Array:
    """One boolean per row of `access` as one per element of `shape`, of which there are as many, or broadcastable."""
    if access.shape[:1] == shape[:1]:
        return of_rows.reshape((-1,) + (1,) * (len(shape) - 1))
    return jnp.broadcast_to(of_rows.reshape((-1,) + (1,) * (len(access.shape) - 1)), access.shape).reshape(shape)


def _static_reach(access: Access, axis: int, at: Loops) -> tuple[Any, Any]:
    """The lowest and the highest place on `axis` that the static part of the pattern adds: ints, or `int32[P]`.

    What faster axes add is carried: in a buffer of `[8, 6]`, offset 4 and `[1, 6]` reach places 0 to 1 on axis 0.
    """
    indices, strides = coordinates(access), access.buffer.strides
    own, faster = indices[axis], list(zip(indices, strides))[axis + 1 :]
    # All digits of a step have its sign, so that the extremes on this axis and on faster ones are at one corner.
    steps = own.steps
    rests = [sum(index.steps[d] * stride for index, stride in faster) for d in range(len(access.dims))]
    start: Any = own.start.evaluate(at)
    rest: Any = sum((index.start * stride for index, stride in faster), ZERO).evaluate(at)
    if access.dims and access.dims[0].step:
        place = lax.iota(jnp.int32, access.dims[0].count)
        start, rest = start + steps[0] * place, rest + rests[0] * place
    within = [(s * (dim.count - 1), r * (dim.count - 1)) for s, r, dim in zip(steps, rests, access.dims)][1:]
    low_start, low_rest = (sum(min(0, reach[k]) for reach in within) for k in (0, 1))
    high_start, high_rest = (sum(max(0, reach[k]) for reach in within) for k in (0, 1))
    stride = strides[axis]
    return start + low_start + (rest + low_rest) // stride, start + high_start + (rest + high_rest) // stride


def rows_are_disjoint(access: Access, block: Block) -> bool:
    """Whether two rows that start at different places never overlap (rows that start at the same place coincide)."""
    assert access.indirect is not None
    digits, moves = _row_steps(access)
    extents = block.window_shape
    # Apart by their positions in the pattern, whatever their indices are, or else by their indices alone.
    by_place = any(abs(m) >= e and (d == 0 or not access.indirect.is_vector) for m, d, e in zip(moves, digits, extents))
    return by_place or (not any(moves) and any(abs(d) >= e for d, e in zip(digits, extents)))


def row_axis(access: Access, block: Block) -> int | None:
    """The one axis along which the rows of an indirect access differ, each one place long; None if there is none."""
    moving = [axis for axis, steps in enumerate(zip(*_row_steps(access))) if any(steps)]
    return moving[0] if len(moving) == 1 and block.window_shape[moving[0]] == 1 else None


def _row_steps(access: Access) -> tuple[list[int], list[int]]:
    """What one index, and one row of the pattern, adds to the start of a row on each axis."""
    assert access.indirect is not None
    digits = split(access.indirect.step, access.buffer.strides)
    return digits, [index.steps[0] if access.dims and access.dims[0].count > 1 else 0 for index in coordinates(access)]
