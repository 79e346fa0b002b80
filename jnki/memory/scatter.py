"""Writing a tile through an access pattern: the mirror of `gather`, form by form.

Every write touches the elements that the pattern names and the mask enables, and no other byte. Of several that
reach one place the last in row-major order wins, on every backend, and it alone receives the cotangent (C18): losers
are dropped before XLA sees them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
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


def updated(array: jax.Array, window: jax.Array, starts: Any) -> jax.Array:
    """`array` with `window` at `starts`.

    The barrier is for XLA's CPU compiler (openxla/xla issue 49176). Where the window comes from other places of one
    array (`t[1:] = t[:-1]`) and a reshape follows, in the kernel or around it, it fuses both with the update, works in
    place, and reads what it has written.
    """
    return lax.optimization_barrier(lax.dynamic_update_slice(array, window, starts))


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
        return window if whole else updated(old, window, starts)

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
        is_last = last_of_equals(starts, whole_rows)
        inside = jnp.clip(starts, 0, np.subtract(array.shape, block.window_shape).astype(np.int32))

        def scatter_inside(old: jax.Array, new: jax.Array, _: jax.Array, starts: jax.Array, on: jax.Array) -> jax.Array:
            """No row starts outside: one that is off repeats one that is on, or what is there where none is."""
            windows, example = window_from_tile(new, block, leading=1), jnp.argmax(on)
            start = starts[example]
            before = lax.dynamic_slice(old, list(start), block.window_shape)
            repeated = jnp.where(jnp.any(on), windows[example], before)
            windows = jnp.where(on.reshape((-1,) + (1,) * old.ndim), windows, repeated)
            starts = jnp.where(on[:, None], starts, start)
            return lax.scatter(
                old, starts, windows, _scatter_numbers(old), mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS
            )

        outside = _starts_of(starts, is_last, array)
        return as_bits(scatter_inside, array, value, indices=(outside, inside, is_last), of_tangents=scatter)

    last, is_last = last_at_each_place(starts[:, axis], array.shape[axis], whole_rows)
    starts_at = [0 if a == axis else walk.start.evaluate(at) for a, walk in enumerate(block.axes)]
    corner = [jnp.asarray(start, jnp.int32) for start in starts_at]

    def select(old: jax.Array, new: jax.Array, _: jax.Array, last: jax.Array, *corner: Any) -> jax.Array:
        windows = window_from_tile(new, block, leading=1)
        found = windows.at[jnp.maximum(last, 0)].get(mode="promise_in_bounds")
        found = jnp.moveaxis(jnp.squeeze(found, axis + 1), 0, axis)
        written = (last >= 0).reshape([-1 if a == axis else 1 for a in range(old.ndim)])
        if found.shape == old.shape:
            return jnp.where(written, found, old)
        before = lax.dynamic_slice(old, corner, found.shape)
        return updated(old, jnp.where(written, found, before), corner)

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
    places = jnp.clip(places if enabled is None else jnp.where(enabled, places, size), 0, size)
    # One place more, for those that are off: who checks the indices of a program would see one that is out of bounds.
    last = jnp.full((size + 1,), -1, jnp.int32).at[places].max(order, mode="promise_in_bounds")
    is_last = last.at[places].get(mode="promise_in_bounds") == order
    return last[:size], is_last if enabled is None else is_last & enabled


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
    target = _inside(positions, axes, on)
    # The last writer of each place: the highest position in row-major order that reaches it.
    last = jnp.full(_with_spare(axes), -1, jnp.int32).at[target].max(order, mode="promise_in_bounds")
    wins = last.at[target].get(mode="promise_in_bounds") == order
    target = _outside(positions, axes, wins if on is None else wins & on)
    last = last[: axes[0]]

    def select(old: jax.Array, new: jax.Array, last: jax.Array, *_: jax.Array) -> jax.Array:
        found = new.reshape(-1).at[jnp.maximum(last, 0)].get(mode="promise_in_bounds")
        return jnp.where(last >= 0, found, old.reshape(axes)).reshape(old.shape)

    def scatter(old: jax.Array, new: jax.Array, _: jax.Array, *target: jax.Array) -> jax.Array:
        flat = old.reshape(axes).at[target]
        return flat.set(new.reshape(-1), mode="drop", unique_indices=True, wrap_negative_indices=False).reshape(
            old.shape
        )

    return as_bits(select, array, value, indices=(last, *target), of_tangents=scatter)


def _outside(positions: tuple[jax.Array, ...], axes: tuple[int, ...], on: jax.Array) -> tuple[jax.Array, ...]:
    spread = axes[0] + lax.iota(jnp.int32, on.shape[0])
    return (jnp.where(on, positions[0], spread), *positions[1:])


def _inside(positions: tuple[jax.Array, ...], axes: tuple[int, ...], on: jax.Array | None) -> tuple[jax.Array, ...]:
    """The places of what is on, and for what is off the spare one of `_with_spare`."""
    first = positions[0] if on is None else jnp.where(on, positions[0], axes[0])
    rest = (jnp.clip(p, 0, n - 1) for p, n in zip(positions[1:], axes[1:]))
    return (jnp.clip(first, 0, axes[0]), *rest)


def _with_spare(axes: tuple[int, ...]) -> tuple[int, ...]:
    return (axes[0] + 1, *axes[1:])


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
    # Not in bounds with -0.0: where a row is off no bit changes, and adding -0.0 changes some NaNs and subnormals.
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
    size, places = array.shape[axis], starts[:, axis]
    places = jnp.where((places >= 0) & (places < size), places, size)
    first = jnp.full((size + 1,), nobody, jnp.int32).at[places].min(order, mode="promise_in_bounds")
    return jnp.where(places == size, order, first.at[places].get(mode="promise_in_bounds"))


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
    target = _inside(positions, axes, on)
    owner = jnp.full(_with_spare(axes), access.size, jnp.int32).at[target].min(order, mode="promise_in_bounds")
    first = owner.at[target].get(mode="promise_in_bounds")
    # What is off adds -0.0, where it stands.
    slot = jnp.where(on, first, order)
    total = before.reshape(-1).at[slot].add(value.reshape(-1), mode="promise_in_bounds")
    keep = (on & (first == order)).reshape(access.shape)
    return write(array, access, finish(total).reshape(access.shape), at, rows, keep)
