"""Writing a tile through an access pattern: the mirror of `gather`, form by form.

Every write touches the elements that the pattern names and the mask enables, and no other byte. Of several that
reach one place the last in row-major order wins, on every backend, and it alone receives the cotangent (C18): losers
are dropped before XLA sees them.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.dtypes import float32
from jnki.memory.bits import as_bits, needs_bits
from jnki.memory.elements import element_axes, element_positions
from jnki.memory.gather import dynamic_starts, read
from jnki.memory.layout import Block, block_of, row_block_of
from jnki.memory.loops import Loops
from jnki.memory.rows import row_axis, row_starts, rows_are_disjoint
from jnki.memory.tiles import merged, window_from_tile

# A scatter of fewer than one row in so many leaves most of the buffer alone, and XLA updates it in place.
_MANY = 4


def write(
    array: jax.Array,
    access: Access,
    value: jax.Array,
    at: Loops,
    rows: jax.Array | None = None,
    enabled: jax.Array | None = None,
) -> jax.Array:
    """`array` with `value` at the elements that `access` names and `enabled` leaves on.

    Args:
        array: the buffer, in its shape and storage type.
        access: where to write.
        value: a tile of `access.shape` in the same type.
        at: values of the loop indices.
        rows: the row indices of an indirect access, `int32[P]`.
        enabled: booleans of `access.shape`, or None for all; rows outside of the buffer must be off.
    """
    if access.size == 0 or array.size == 0:
        return array
    if access.is_whole:
        value = value.reshape(array.shape)
        if enabled is None:
            return value
        mask = jnp.broadcast_to(enabled, access.shape).reshape(array.shape)
        return as_bits(_select, value, array, indices=(mask,))
    if access.indirect is None and (block := block_of(access)) is not None:
        return _write_block(array, access, block, value, at, enabled)
    if (block := _rows_to_write(access)) is not None:
        return _write_rows(array, access, block, value, at, rows, enabled)
    return _write_elements(array, access, value, at, rows, enabled)


def _rows_to_write(access: Access) -> Block | None:
    """The window of each row of an indirect access, where different rows are the same window or disjoint ones."""
    if access.indirect is None or (block := row_block_of(access)) is None or block.broadcast:
        return None
    return block if rows_are_disjoint(access, block) else None


def _select(value: jax.Array, old: jax.Array, where: jax.Array) -> jax.Array:
    return jnp.where(where, value, old)


def _write_block(
    array: jax.Array, access: Access, block: Block, value: jax.Array, at: Loops, enabled: jax.Array | None
) -> jax.Array:
    if enabled is not None and block.broadcast:
        return _write_elements(array, access, value, at, None, enabled)
    if not block.is_dense:
        block = block.in_whole_steps(array.shape) or block
    static = all(axis.start.is_constant for axis in block.axes)
    starts: list[Any] = [axis.start.constant for axis in block.axes] if static else dynamic_starts(block, at)

    def update(old: jax.Array, new: jax.Array, mask: jax.Array | None, *starts: Any) -> jax.Array:
        whole = block.covers(old.shape)
        if mask is None and block.is_dense:
            window = window_from_tile(new, block)
        else:
            before = old if whole else lax.dynamic_slice(old, starts, block.window_shape)
            window = merged(before, new, block, mask)
        return window if whole else lax.dynamic_update_slice(old, window, starts)

    if enabled is None:
        return as_bits(lambda old, new, *s: update(old, new, None, *s), array, value, indices=tuple(starts))
    return as_bits(update, array, value, indices=(jnp.broadcast_to(enabled, access.shape), *starts))


def _write_rows(
    array: jax.Array,
    access: Access,
    block: Block,
    value: jax.Array,
    at: Loops,
    rows: jax.Array | None,
    enabled: jax.Array | None,
) -> jax.Array:
    """Scatters rows; or, where that would copy the buffer or rewrite much of it, asks at each place for its row."""
    whole_rows = None if enabled is None else _row_mask(enabled)
    if not block.is_dense or (enabled is not None and whole_rows is None):
        return _write_elements(array, access, value, at, rows, enabled)
    starts, axis = row_starts(access, block, at, rows), row_axis(access, block)

    def scatter(old: jax.Array, new: jax.Array, starts: jax.Array, *_: Any) -> jax.Array:
        windows = window_from_tile(new, block, leading=1)
        numbers, drop = _scatter_numbers(old), lax.GatherScatterMode.FILL_OR_DROP
        return lax.scatter(old, starts, windows, numbers, unique_indices=True, mode=drop)

    if axis is None or not (needs_bits(array.dtype) or _MANY * starts.shape[0] >= array.shape[axis]):
        starts = _starts_of(starts, last_of_equals(starts, whole_rows), array)
        return as_bits(scatter, array, value, indices=(starts,))

    last, is_last = last_at_each_place(starts[:, axis], array.shape[axis], whole_rows)
    starts_at = [0 if a == axis else walk.start.evaluate(at) for a, walk in enumerate(block.axes)]
    corner = [jnp.asarray(start, jnp.int32) for start in starts_at]

    def select(old: jax.Array, new: jax.Array, _: jax.Array, last: jax.Array, *corner: Any) -> jax.Array:
        windows = window_from_tile(new, block, leading=1)
        found = windows.at[last].get(mode="clip", wrap_negative_indices=False)
        found = jnp.moveaxis(jnp.squeeze(found, axis + 1), 0, axis)
        written = (last >= 0).reshape([-1 if a == axis else 1 for a in range(old.ndim)])
        if found.shape == old.shape:
            return jnp.where(written, found, old)
        before = lax.dynamic_slice(old, corner, found.shape)
        return lax.dynamic_update_slice(old, jnp.where(written, found, before), corner)

    starts = _starts_of(starts, is_last, array)
    return as_bits(select, array, value, indices=(starts, last, *corner), of_tangents=scatter)


def _starts_of(starts: jax.Array, on: jax.Array, array: jax.Array) -> jax.Array:
    """Where rows start that are on; the others start outside, each at a place of its own."""
    outside = array.shape[0] + lax.iota(jnp.int32, starts.shape[0])
    return jnp.where(on[:, None], starts, outside[:, None])


def _scatter_numbers(array: jax.Array) -> lax.ScatterDimensionNumbers:
    """Windows of all axes of `array`, one per row of axis 0 of the updates."""
    return lax.ScatterDimensionNumbers(
        update_window_dims=tuple(range(1, array.ndim + 1)),
        inserted_window_dims=(),
        scatter_dims_to_operand_dims=tuple(range(array.ndim)),
    )


def _row_mask(enabled: jax.Array) -> jax.Array | None:
    """`bool[P]` where the mask was given per row (`[P, 1, ...]`); None where it varies inside of a row."""
    return enabled.reshape(-1) if all(n == 1 for n in enabled.shape[1:]) else None


def last_of_equals(starts: jax.Array, enabled: jax.Array | None) -> jax.Array:
    """Which enabled rows have no enabled row after them that starts at the same place: `bool[P]`."""
    count = starts.shape[0]
    if count == 1:
        return jnp.ones((1,), jnp.bool_) if enabled is None else enabled
    same = jnp.all(starts[:, None, :] == starts[None, :, :], axis=-1)
    later = lax.broadcasted_iota(jnp.int32, (count, count), 1) > lax.broadcasted_iota(jnp.int32, (count, count), 0)
    beaten = same & later
    if enabled is None:
        return ~jnp.any(beaten, axis=1)
    return enabled & ~jnp.any(beaten & enabled[None, :], axis=1)


def last_at_each_place(places: jax.Array, size: int, enabled: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """The last enabled row at each of `size` places, or -1; and which rows these are: `int32[size]`, `bool[P]`."""
    order = lax.iota(jnp.int32, places.shape[0])
    if enabled is not None:
        places = jnp.where(enabled, places, size)
    last = jnp.full((size,), -1, jnp.int32).at[places].max(order, mode="drop", wrap_negative_indices=False)
    return last, order == last.at[places].get(mode="fill", fill_value=-1, wrap_negative_indices=False)


def _write_elements(
    array: jax.Array,
    access: Access,
    value: jax.Array,
    at: Loops,
    rows: jax.Array | None,
    enabled: jax.Array | None,
) -> jax.Array:
    axes = element_axes(access)
    positions = tuple(p.reshape(-1) for p in element_positions(access, at, rows))
    order = lax.iota(jnp.int32, access.size)
    on = None if enabled is None else jnp.broadcast_to(enabled, access.shape).reshape(-1)
    target = positions if on is None else _outside(positions, axes, on)
    # The last writer of each place: the highest position in row-major order that reaches it.
    last = jnp.full(axes, -1, jnp.int32).at[target].max(order, mode="drop", wrap_negative_indices=False)
    wins = last.at[positions].get(mode="clip", wrap_negative_indices=False) == order
    target = _outside(positions, axes, wins if on is None else wins & on)

    def scatter(old: jax.Array, new: jax.Array, *target: jax.Array) -> jax.Array:
        flat = old.reshape(axes).at[target]
        return flat.set(new.reshape(-1), mode="drop", unique_indices=True, wrap_negative_indices=False).reshape(
            old.shape
        )

    return as_bits(scatter, array, value, indices=target)


def _outside(positions: tuple[jax.Array, ...], axes: tuple[int, ...], on: jax.Array) -> tuple[jax.Array, ...]:
    spread = axes[0] + lax.iota(jnp.int32, on.shape[0])
    return (jnp.where(on, positions[0], spread), *positions[1:])


def accumulate(
    array: jax.Array,
    access: Access,
    value: jax.Array,
    at: Loops,
    finish: Any,
    widen: Any,
    rows: jax.Array | None = None,
    enabled: jax.Array | None = None,
) -> jax.Array:
    """`array` with `value` added: every contribution counts, in float32, and the sum is rounded once (C16, C17).

    Args:
        value: a tile of `access.shape` in float32.
        widen: takes stored elements to float32.
        finish: takes float32 to stored elements.
        rows, enabled: as for `write`.
    """
    if access.size == 0 or array.size == 0:
        return array
    block = _rows_to_write(access)
    if block is not None and block.is_dense and access.dtype == float32:
        whole_rows = None if enabled is None else _row_mask(enabled)
        if enabled is None or whole_rows is not None:
            return _add_rows(array, row_starts(access, block, at, rows), block, value, whole_rows)
    before = widen(read(array, access, at, rows))
    if enabled is not None:
        # -0.0 is the one number that changes nothing it is added to.
        value = jnp.where(enabled, value, jnp.float32(-0.0))
    if access.indirect is None and (direct := block_of(access)) is not None and not direct.broadcast:
        return write(array, access, finish(before + value), at, rows, enabled)
    if block is not None:
        return _accumulate_rows(array, access, block, before, value, at, finish, rows, enabled)
    return _accumulate_elements(array, access, before, value, at, finish, rows, enabled)


def _add_rows(
    array: jax.Array, starts: jax.Array, block: Block, value: jax.Array, enabled: jax.Array | None
) -> jax.Array:
    """Rows of float32 are added where they belong, one after another: nothing else needs to be rounded."""
    if enabled is not None:
        starts = _starts_of(starts, enabled, array)
    windows = window_from_tile(value, block, leading=1)
    return lax.scatter_add(array, starts, windows, _scatter_numbers(array), mode=lax.GatherScatterMode.FILL_OR_DROP)


def _accumulate_rows(
    array: jax.Array,
    access: Access,
    block: Block,
    before: jax.Array,
    value: jax.Array,
    at: Loops,
    finish: Any,
    rows: jax.Array | None,
    enabled: jax.Array | None,
) -> jax.Array:
    """Rows that share a place are summed into the first of them, which is then written alone."""
    first = first_of_equals(row_starts(access, block, at, rows), row_axis(access, block), array)
    total = before.at[first].add(value, mode="promise_in_bounds", wrap_negative_indices=False)
    is_first = first == lax.iota(jnp.int32, first.shape[0])
    on = is_first.reshape((-1,) + (1,) * (value.ndim - 1))
    if enabled is not None:
        touched = jnp.zeros(enabled.shape, jnp.bool_).at[first].max(enabled, mode="promise_in_bounds")
        on = on & touched
    return write(array, access, finish(total), at, rows, on)


def first_of_equals(starts: jax.Array, axis: int | None, array: jax.Array) -> jax.Array:
    """The first row that starts where each row starts: `int32[P]`. `axis` is that of `row_axis`."""
    order = lax.iota(jnp.int32, starts.shape[0])
    if axis is None or starts.shape[0] ** 2 <= array.shape[axis]:
        same = jnp.all(starts[:, None, :] == starts[None, :, :], axis=-1)
        return jnp.argmax(same, axis=1).astype(jnp.int32)
    nobody = starts.shape[0]
    first = jnp.full((array.shape[axis],), nobody, jnp.int32).at[starts[:, axis]]
    first = first.min(order, mode="drop", wrap_negative_indices=False).at[starts[:, axis]]
    found = first.get(mode="fill", fill_value=nobody, wrap_negative_indices=False)
    return jnp.where(found == nobody, order, found)


def _accumulate_elements(
    array: jax.Array,
    access: Access,
    before: jax.Array,
    value: jax.Array,
    at: Loops,
    finish: Any,
    rows: jax.Array | None,
    enabled: jax.Array | None,
) -> jax.Array:
    """As for rows, element by element: each place's sum lives at its first visitor in row-major order."""
    axes = element_axes(access)
    positions = tuple(p.reshape(-1) for p in element_positions(access, at, rows))
    order = lax.iota(jnp.int32, access.size)
    on = jnp.ones((access.size,), jnp.bool_)
    if enabled is not None:
        on = jnp.broadcast_to(enabled, access.shape).reshape(-1)
    target = _outside(positions, axes, on)
    owner = jnp.full(axes, access.size, jnp.int32).at[target].min(order, mode="drop", wrap_negative_indices=False)
    first = owner.at[positions].get(mode="clip", wrap_negative_indices=False)
    slot = jnp.where(on, first, access.size)
    total = before.reshape(-1).at[slot].add(value.reshape(-1), mode="drop", wrap_negative_indices=False)
    keep = (on & (first == order)).reshape(access.shape)
    return write(array, access, finish(total).reshape(access.shape), at, rows, keep)
