"""Reading a tile through an access pattern, in the cheapest form that XLA has for it.

whole buffer    the array itself, reshaped
block           a slice (dynamic where a loop index moves it), unfolded and transposed
rows            one gather of whole rows, for an indirect index or a ragged edge
elements        one gather of single elements: any pattern at all
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.access.access import Access
from jnki.memory.bits import as_bits
from jnki.memory.elements import element_axes, element_positions
from jnki.memory.layout import Block, block_of, row_block_of
from jnki.memory.loops import Loops
from jnki.memory.rows import row_starts
from jnki.memory.tiles import tile_from_window


def read(array: jax.Array, access: Access, at: Loops, rows: jax.Array | None = None) -> jax.Array:
    """The elements that `access` names, as a tile of its shape.

    Args:
        array: the buffer, in its shape and storage type.
        access: what to read.
        at: values of the loop indices.
        rows: the row indices of an indirect access, `int32[P]` (or `[1]` for a scalar offset). A row outside of the
            buffer reads something inside of it, which the caller discards.

    Returns:
        An array of `access.shape`. Elements outside of the buffer (which a mask must switch off) are arbitrary.
    """
    if access.size == 0 or array.size == 0:
        return jnp.zeros(access.shape, array.dtype)
    if access.is_whole:
        return array.reshape(access.shape)
    if access.indirect is None and (block := block_of(access)) is not None:
        return _read_block(array, access, block, at)
    if (block := row_block_of(access)) is not None:
        return _gather_rows(array, access, block, at, rows)
    return _gather_elements(array, access, at, rows)


def _read_block(array: jax.Array, access: Access, block: Block, at: Loops) -> jax.Array:
    static = all(axis.start.is_constant for axis in block.axes)

    def tile(array: jax.Array, *starts: jax.Array) -> jax.Array:
        return tile_from_window(_window(array, block, starts), block, access.shape)

    return as_bits(tile, array, indices=() if static else tuple(dynamic_starts(block, at)))


def _window(array: jax.Array, block: Block, dynamic: tuple[jax.Array, ...]) -> jax.Array:
    if block.covers(array.shape):
        return array
    if dynamic:
        return lax.dynamic_slice(array, dynamic, block.window_shape)
    starts = [axis.start.constant for axis in block.axes]
    return lax.slice(array, starts, [s + axis.extent for s, axis in zip(starts, block.axes)])


def dynamic_starts(block: Block, at: Loops) -> list[Any]:
    return [jnp.asarray(axis.start.evaluate(at), jnp.int32) for axis in block.axes]


def _gather_rows(array: jax.Array, access: Access, block: Block, at: Loops, rows: jax.Array | None) -> jax.Array:
    # XLA would clamp them as well, but who checks the indices of a program would see those that are out of bounds.
    room = np.subtract(array.shape, block.window_shape).astype(np.int32)
    starts = jnp.clip(row_starts(access, block, at, rows), 0, room)
    numbers = lax.GatherDimensionNumbers(
        offset_dims=tuple(range(1, array.ndim + 1)),
        collapsed_slice_dims=(),
        start_index_map=tuple(range(array.ndim)),
    )

    def tile(array: jax.Array, starts: jax.Array) -> jax.Array:
        windows = lax.gather(array, starts, numbers, block.window_shape, mode=lax.GatherScatterMode.CLIP)
        return tile_from_window(windows, block, access.shape, leading=1)

    return as_bits(tile, array, indices=(starts,))


def _gather_elements(array: jax.Array, access: Access, at: Loops, rows: jax.Array | None) -> jax.Array:
    axes = element_axes(access)
    inside = tuple(jnp.clip(p, 0, n - 1) for p, n in zip(element_positions(access, at, rows), axes))

    def tile(array: jax.Array, *inside: jax.Array) -> jax.Array:
        return array.reshape(axes).at[inside].get(mode="clip", wrap_negative_indices=False)

    return as_bits(tile, array, indices=inside)
