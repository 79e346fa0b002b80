"""Advanced indexing: index tensors (`nl.arange`, `nl.mgrid`) and one SBUF tile as an indirect index.

They broadcast together as in NumPy, integers among them.
"""

import operator
from dataclasses import replace
from typing import Any

import numpy as np

from jnki.access.access import Access, Dim, Indirect
from jnki.access.basic import basic_view, is_slice
from jnki.access.buffer import Space
from jnki.access.dynamic_index import DynamicIndex
from jnki.access.index import Index, NonAffine, scalar
from jnki.access.walk import Walk, walked
from jnki.errors import RuleError, not_modelled


def is_tile(key: Any) -> bool:
    """Whether the key stands for a tile, by the access that it has: then it is an indirect index."""
    return hasattr(key, "access")


def is_advanced(key: Any) -> bool:
    return (isinstance(key, (Index, NonAffine)) and getattr(key, "ndim", 0) > 0) or is_tile(key)


def advanced_view(access: Access, keys: list[Any]) -> Access:
    """The view that index tensors, tiles and integers, one per dim of `access`, name together.

    Raises:
        RuleError: they do not broadcast; on chip, they have no two axes; or a rule of an indirect index is broken.
    """
    tiles = [(axis, k.access) for axis, k in enumerate(keys) if is_tile(k)]
    indices = [scalar(0) if is_tile(k) and not isinstance(k, DynamicIndex) else _as_index(k) for k in keys]
    shapes = [i.shape for i, k in zip(indices, keys) if not is_tile(k) or i.shape] + [t.shape for _, t in tiles]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuleError(
            "index.broadcast",
            f"the indices of tensor '{access.buffer.name}' do not broadcast together",
            given=" and ".join(str(list(s)) for s in shapes),
            allowed="index shapes that broadcast as NumPy's do",
        ) from None
    if access.buffer.space.on_chip and len(shape) < 2:
        raise rank_1(access, f"an index of shape {list(shape)}", "indices of rank 2 or more")
    walks = [Walk(index.base, index._steps_in(shape)) for index in indices]
    view = walked(access, walks, shape, _blocks(access, walks, shape))
    if moved := [axis for axis, k in enumerate(keys) if isinstance(k, DynamicIndex)]:
        return _moved(access, view, tiles, moved[0])
    return _with_indirect(access, view, tiles, shape) if tiles else view


def _blocks(access: Access, walks: list[Walk], shape: tuple[int, ...]) -> int:
    """How many dims of `shape` stand in front of the one that walks the partitions of `access`.

    Where none does (the index on the partition axis is one number), it is the first one after those that walk blocks.
    """
    if not access.buffer.space.on_chip:
        return 0

    def moving(walk: Walk) -> list[int]:
        return [d for d, (step, count) in enumerate(zip(walk.steps, shape)) if step and count > 1]

    if partitions := moving(walks[access.blocks]):
        return partitions[0]
    in_front = [d for walk in walks[: access.blocks] for d in moving(walk)]
    return min(max(in_front, default=-1) + 1, len(shape) - 1)


def rank_1(access: Access, given: str, allowed: str) -> RuleError:
    return RuleError(
        "err_1d_arange_not_supported",
        f"tensor '{access.buffer.name}' in {access.buffer.space} is indexed with a rank-1 nl.arange",
        given=given,
        allowed=f"{allowed}, such as nl.arange(n)[:, None]",
    )


def mixed_view(access: Access, keys: list[Any]) -> Access:
    """An indirect index beside slices: the tile takes its axis's place, the slices keep theirs."""
    tiles = [(axis, k.access) for axis, k in enumerate(keys) if is_tile(k)]
    if len(tiles) != 1 or any(is_advanced(k) and not is_tile(k) for k in keys):
        raise not_modelled("index tensors mixed with slices in one subscript")
    axis, tile = tiles[0]
    base = basic_view(access, [slice(0, 1) if a == axis else k for a, k in enumerate(keys)])
    dims = list(base.dims)
    before = sum(map(is_slice, keys[:axis]))
    dims[before] = Dim(0, tile.size)
    bounds = tuple(b for b in base.unchecked if b.axis != axis)
    view = replace(base, dims=tuple(dims), unchecked=bounds)
    if before:
        raise _free_axis(access, axis)
    return _with_indirect(access, view, tiles, view.shape)


def _with_indirect(access: Access, view: Access, tiles: list[tuple[int, Access]], shape: tuple[int, ...]) -> Access:
    axis, tile = _only_one(tiles)
    rules_of_index_tile(tile)
    dim = access.dims[axis]
    if access.buffer.space is not Space.HBM:
        # Instructions refuse or accept it, each with the rule that it has for a dynamic index on chip.
        return replace(view, indirect=Indirect(tile, dim.step, axis, dim.count, tile.size > 1))
    free = len(access.dims) > 1 and axis == len(access.dims) - 1
    per_row = tile.size == shape[0] and (tile.shape[:1] == shape[:1] or len(tile.shape) == 1)
    is_vector = per_row or tile.size != 1  # one element selects one place on its axis for all rows
    if free or (is_vector and not per_row):
        raise _free_axis(access, axis, tile)
    # Where the axis has no place at all, that is for the rows to find out at run time.
    unchecked = tuple(bound for bound in view.unchecked if bound.size)
    return replace(view, indirect=Indirect(tile, dim.step, axis, dim.count, is_vector), unchecked=unchecked)


def _moved(access: Access, view: Access, tiles: list[tuple[int, Access]], axis: int) -> Access:
    """The view, which walks `axis` itself, moved along it by the one element of a tile."""
    _, tile = _only_one(tiles)
    rules_of_index_tile(tile)
    dim, buffer = access.dims[axis], access.buffer
    own = [a for a, walk in enumerate(zip(buffer.strides, buffer.shape)) if walk == (dim.step, dim.count)]
    if not buffer.space.on_chip or tile.size != 1 or not own or any(bound.axis == axis for bound in view.unchecked):
        raise not_modelled(
            f"an index tensor beside a tile on axis {axis} of tensor '{buffer.name}', unless the tensor is on chip, "
            "the tile has one element, the axis is whole, and the index tensor stays on it"
        )
    return replace(view, indirect=Indirect(tile, dim.step, own[0], dim.count, is_vector=False, walks_axis=True))


def rules_of_index_tile(tile: Access) -> None:
    """An indirect index is an int32 or uint32 tile in SBUF (clause C8), or a register."""
    if tile.buffer.space not in (Space.SBUF, Space.REGISTER):
        raise RuleError(
            "err_indirect_indices_memory",
            "an indirect index must be loaded into SBUF first",
            given=str(tile.buffer),
            allowed="a tile in sbuf",
        )
    if tile.dtype.name not in ("int32", "uint32"):
        raise RuleError(
            "err_indirect_indices_dtype",
            f"tile '{tile.buffer.name}' cannot be an indirect index",
            given=str(tile.dtype),
            allowed="int32 or uint32",
        )


def _only_one(tiles: list[tuple[int, Access]]) -> tuple[int, Access]:
    if len(tiles) > 1:
        raise RuleError(
            "ap.one_dynamic",
            "one tensor can have one indirect index",
            given=f"{len(tiles)} tiles",
            allowed="one",
        )
    return tiles[0]


def _free_axis(access: Access, axis: int, tile: Access | None = None) -> RuleError:
    given = f"a tile on axis {axis} of {list(access.shape)}"
    return RuleError(
        "err_indirect_indices_free_dim",
        f"the indirect index of tensor '{access.buffer.name}' must give one row per partition",
        given=given + (f", index shape {list(tile.shape)}" if tile else ""),
        allowed="an index of shape [P, 1] on a leading axis (built with nl.arange, not with nl.mgrid), or one element",
    )


def _as_index(key: Any) -> Index:
    if isinstance(key, DynamicIndex):
        return key.index
    return key if isinstance(key, Index) else scalar(operator.index(key))
