"""Windows of a buffer to tiles and back: the part of a block move that has no addresses in it."""

import jax
import jax.numpy as jnp
from jax import lax

from jnki.memory.layout import Block, Level


def tile_from_window(window: jax.Array, block: Block, shape: tuple[int, ...], leading: int = 0) -> jax.Array:
    """The elements of `window` that `block` walks, as a tile of `shape`.

    The first `leading` axes of `window` and `shape` (rows of an indirect move) are carried along.
    """
    lead = window.shape[:leading]
    for axis in reversed(range(len(block.axes))):
        window = _unfold(window, leading + axis, block.axes[axis].levels)
    counts = [level.count for axis in block.axes for level in axis.levels]
    tile = window.reshape(*lead, *counts)
    order = block.order
    if order != tuple(sorted(order)):
        ranks = sorted(range(len(order)), key=order.__getitem__)
        tile = tile.transpose(*range(leading), *(leading + r for r in ranks))
    if block.flipped:
        position = {dim: leading + k for k, dim in enumerate(sorted(order))}
        tile = lax.rev(tile, [position[d] for d in block.flipped])
    if block.broadcast:
        kept = [n if d in order or n == 1 else 1 for d, n in enumerate(shape)]
        kept[:leading] = shape[:leading]
        return jnp.broadcast_to(tile.reshape(kept), shape)
    return tile.reshape(shape)


def window_from_tile(tile: jax.Array, block: Block, leading: int = 0) -> jax.Array:
    """The window whose walked elements are those of `tile`; the elements between them are zero.

    Where a broadcast dim writes one place several times, its last element stays (clause C18).
    """
    lead = tile.shape[:leading]
    tile = _in_axis_order(tile, block, leading)
    for axis, walk in enumerate(block.axes, leading):
        tile = _fold(tile, axis, _pairs(walk.levels))
    return tile.reshape(*lead, *block.window_shape)


def merged(window: jax.Array, tile: jax.Array, block: Block, mask: jax.Array | None) -> jax.Array:
    """The window with `tile` at the elements that `block` walks and `mask`, of the tile's shape, leaves on.

    One pass of `where`. In windows of whole steps (`Block.in_whole_steps`) steps are an axis of their own, along which
    the tile is broadcast; otherwise the gaps in it are filled up first.
    """
    if all(walk.is_dense or walk.is_in_whole_steps for walk in block.axes):
        touched, spread, shape = _walked_in_steps(block), _spread_over_steps, _steps_shape(block)
    else:
        touched, spread, shape = walked(block), window_from_tile, block.window_shape
    if mask is not None:
        touched = touched & spread(mask, block)
    return jnp.where(touched, spread(tile, block), window.reshape(shape)).reshape(window.shape)


def walked(block: Block) -> jax.Array:
    """Booleans of the window's shape, broadcastable: which of its elements the block walks. From iotas."""
    rank = len(block.axes)
    result = jnp.ones((1,) * rank, jnp.bool_)
    for axis, walk in enumerate(block.axes):
        if not walk.is_dense:
            hit = _hit(lax.iota(jnp.int32, walk.extent), walk.levels)
            result = result & hit.reshape([-1 if a == axis else 1 for a in range(rank)])
    return result


def _hit(place: jax.Array, levels: tuple[Level, ...]) -> jax.Array:
    """Which places, counted from the first walked one, the levels walk."""
    hit = place >= 0
    for level in levels:
        hit &= place // level.step < level.count
        place = place % level.step
    return hit & (place == 0)


def _steps_shape(block: Block) -> tuple[int, ...]:
    """The window with one axis more for each axis with gaps: `[..., count, step, ...]`."""
    shape: list[int] = []
    for walk in block.axes:
        shape += [walk.extent] if walk.is_dense else [walk.levels[0].count, walk.levels[0].step]
    return tuple(shape)


def _walked_in_steps(block: Block) -> jax.Array:
    """`walked`, broadcastable to `_steps_shape`."""
    rank = len(_steps_shape(block))
    result, axis = jnp.ones((1,) * rank, jnp.bool_), 0
    for walk in block.axes:
        axis += 1
        if not walk.is_dense:
            hit = _hit(lax.iota(jnp.int32, walk.levels[0].step) - walk.lead, walk.levels[1:])
            result = result & hit.reshape([-1 if a == axis else 1 for a in range(rank)])
            axis += 1
    return result


def _spread_over_steps(tile: jax.Array, block: Block) -> jax.Array:
    """The elements of `tile`, broadcastable to `_steps_shape`; what is not walked is arbitrary."""
    tile, axis = _in_axis_order(tile, block, 0), 0
    for walk in block.axes:
        if walk.is_dense:
            tile = _fold(tile, axis, _pairs(walk.levels))
            axis += 1
            continue
        tile = _fold(tile, axis + 1, _pairs(walk.levels[1:]))
        inner = tile.shape[axis + 1]
        if inner > 1:
            pads = [(0, 0, 0)] * tile.ndim
            pads[axis + 1] = (walk.lead, walk.levels[0].step - walk.lead - inner, 0)
            tile = lax.pad(tile, jnp.zeros((), tile.dtype), pads)
        axis += 2
    return tile


def _in_axis_order(tile: jax.Array, block: Block, leading: int) -> jax.Array:
    """The tile with its dims in the order and direction in which the buffer's axes hold them."""
    for dim in block.broadcast:
        tile = lax.slice_in_dim(tile, tile.shape[dim] - 1, tile.shape[dim], axis=dim)
    order = block.order
    tile = tile.reshape(*tile.shape[:leading], *(tile.shape[d] for d in sorted(order)))
    if block.flipped:
        position = {dim: leading + k for k, dim in enumerate(sorted(order))}
        tile = lax.rev(tile, [position[d] for d in block.flipped])
    ranks = [sorted(order).index(dim) for dim in order]
    return tile.transpose(*range(leading), *(leading + r for r in ranks))


def _pairs(levels: tuple[Level, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((level.step, level.count) for level in levels)


def _unfold(array: jax.Array, axis: int, levels: tuple) -> jax.Array:
    """Axis of one extent into one axis per level; without levels it stays, with size 1."""
    if not levels:
        return array
    if len(levels) == 1:
        step = levels[0].step
        return array if step == 1 else lax.slice_in_dim(array, 0, None, stride=step, axis=axis)
    step, count = levels[0].step, levels[0].count
    missing = step * count - array.shape[axis]
    if missing:
        pads = [(0, missing if a == axis else 0, 0) for a in range(array.ndim)]
        array = lax.pad(array, jnp.zeros((), array.dtype), pads)
    array = array.reshape(*array.shape[:axis], count, step, *array.shape[axis + 1 :])
    inner = 1 + sum(level.step * (level.count - 1) for level in levels[1:])
    array = lax.slice_in_dim(array, 0, inner, axis=axis + 1)
    return _unfold(array, axis + 1, levels[1:])


def _fold(array: jax.Array, axis: int, levels: tuple[tuple[int, int], ...]) -> jax.Array:
    """One axis per level (from `axis` on) into one axis of their extent, gaps zero."""
    if not levels:
        return jnp.expand_dims(array, axis)
    step, count = levels[0]
    if len(levels) == 1:
        return _spread(array, axis, step)
    array = _fold(array, axis + 1, levels[1:])
    inner = array.shape[axis + 1]
    if step > inner:
        pads = [(0, step - inner if a == axis + 1 else 0, 0) for a in range(array.ndim)]
        array = lax.pad(array, jnp.zeros((), array.dtype), pads)
    array = array.reshape(*array.shape[:axis], count * step, *array.shape[axis + 2 :])
    return lax.slice_in_dim(array, 0, step * (count - 1) + inner, axis=axis)


def _spread(array: jax.Array, axis: int, step: int) -> jax.Array:
    if step == 1:
        return array
    pads = [(0, 0, step - 1 if a == axis else 0) for a in range(array.ndim)]
    return lax.pad(array, jnp.zeros((), array.dtype), pads)
