"""Positions of single elements: the form that fits every pattern."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.affine import Affine
from jnki.access.coordinates import coordinates, split
from jnki.errors import not_modelled
from jnki.memory.loops import Loops

INT32_LIMIT = 1 << 31


def element_axes(access: Access) -> tuple[int, ...]:
    """The shape under which a buffer is indexed element by element: flat where int32 reaches, else its own axes."""
    return (access.buffer.size,) if access.buffer.size < INT32_LIMIT else access.buffer.shape


def element_positions(access: Access, at: Loops, rows: jax.Array | None) -> tuple[jax.Array, ...]:
    """One int32 array of `access.shape` per axis of `element_axes`: where each element is.

    On a tensor of 2^31 elements or more no flat offset is ever formed: offsets are split into one digit per axis
    before anything is traced, and what overflows an axis is carried into the next.
    """
    if access.indirect is not None and rows is not None:
        # The caller discards rows outside; inside the axis, no product below can overflow.
        rows = jnp.clip(rows, 0, access.indirect.size - 1).reshape((-1,) + (1,) * (len(access.dims) - 1))
    if access.buffer.size < INT32_LIMIT:
        steps = tuple(dim.step for dim in access.dims)
        index_step = access.indirect.step if access.indirect else 0
        return (_positions(access, access.offset, steps, index_step, at, rows),)
    return _carried(access, at, rows)


def _positions(
    access: Access, start: Affine, steps: tuple[int, ...], index_step: int, at: Loops, rows: jax.Array | None
) -> jax.Array:
    position: Any = start.evaluate(at)
    for d, (step, count) in enumerate(zip(steps, access.shape)):
        if step and count > 1:
            position = position + step * lax.broadcasted_iota(jnp.int32, access.shape, d)
    if index_step and rows is not None:
        position = position + index_step * rows
    return jnp.broadcast_to(jnp.asarray(position, jnp.int32), access.shape)


def _carried(access: Access, at: Loops, rows: jax.Array | None) -> tuple[jax.Array, ...]:
    digits = split(access.indirect.step, access.buffer.strides) if access.indirect else [0] * len(access.buffer.shape)
    positions: list[jax.Array] = []
    carry: Any = 0
    least = most = 0  # bounds of the carry
    indices = list(zip(coordinates(access), digits, access.buffer.shape))
    for axis in reversed(range(len(indices))):
        index, digit, size = indices[axis]
        low, high = index.bounds(access.shape)
        reach = digit * (access.indirect.size - 1) if access.indirect else 0
        low, high = low + least + min(0, reach), high + most + max(0, reach)
        if not -INT32_LIMIT < low <= high < INT32_LIMIT:
            raise not_modelled(f"a pattern that wraps axis {axis} of {list(access.buffer.shape)} so often")
        position = _positions(access, index.start, index.steps, digit, at, rows) + carry
        if axis and (low < 0 or high >= size):
            carry, position = position // size, position % size
            least, most = low // size, high // size
        else:
            carry = least = most = 0
        positions.append(position)
    return tuple(reversed(positions))
