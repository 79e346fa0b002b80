"""`tensor[...]`: every spelling of a subscript becomes an `Access`.

Basic indexing takes integers, loop indices, slices, `nl.ds`, `...` and `None`. Advanced indexing takes index tensors
(`nl.arange`, `nl.mgrid`) and one SBUF tile as an indirect index; they broadcast together as in NumPy.
"""

import operator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from jnki.access.access import Access, Bound, Dim, Indirect
from jnki.access.affine import Affine
from jnki.access.buffer import Space
from jnki.access.index import Index, NonAffine, scalar
from jnki.errors import RuleError, not_modelled


@dataclass(frozen=True, slots=True)
class DynamicSlice:
    """`nl.ds(start, size)`: `size` elements from `start`, which may depend on a loop index."""

    start: Any
    size: int


class HasAccess(Protocol):
    """Whatever stands for a tile: an indirect index is recognised by this."""

    @property
    def access(self) -> Access: ...


def subscript(access: Access, key: Any, *, allow_mixing: bool = False) -> Access:
    """The part of `access` that `key` names.

    Args:
        access: the tensor or view that is indexed.
        key: what stands between the brackets.
        allow_mixing: whether slices may stand beside an indirect index (the functional interface).

    Raises:
        RuleError: a rule of indexing is broken; an index that may leave its axis is not judged here but where an
            instruction uses the result, together with its mask.
    """
    keys = _expanded(access, key if isinstance(key, tuple) else (key,))
    if all(k == slice(None) for k in keys if isinstance(k, slice)) and all(isinstance(k, slice) for k in keys):
        return access
    if access.indirect is not None:
        raise not_modelled("a second subscript on an indirect access")
    advanced = [_is_advanced(k) for k in keys]
    if not any(advanced):
        return _on_chip_rank(access, _basic(access, keys), keys)
    if any(isinstance(k, (slice, DynamicSlice)) or k is None for k in keys):
        if not allow_mixing:
            raise RuleError(
                "err_unsupported_mixing_basic_advanced_tensor_indexing",
                "slices and index tensors cannot be mixed in one subscript",
                given=", ".join(_spell(k) for k in keys),
                allowed="only slices and integers, or only index tensors, tiles and integers",
            )
        return _mixed(access, keys)
    return _advanced(access, keys)


def _expanded(access: Access, keys: tuple[Any, ...]) -> list[Any]:
    """One key per dim (plus `None`s): `...` filled in, missing trailing dims taken whole."""
    ellipses = [i for i, k in enumerate(keys) if k is Ellipsis]
    given = sum(k is not None and k is not Ellipsis for k in keys)
    missing = len(access.dims) - given
    if missing < 0 or len(ellipses) > 1:
        raise RuleError(
            "index.rank",
            f"too many indices for tensor '{access.buffer.name}'",
            given=f"{given} indices",
            allowed=f"at most {len(access.dims)}, and one '...'",
        )
    if ellipses:
        at = ellipses[0]
        return [*keys[:at], *[slice(None)] * missing, *keys[at + 1 :]]
    return [*keys, *[slice(None)] * missing]


def _is_advanced(key: Any) -> bool:
    return (isinstance(key, (Index, NonAffine)) and getattr(key, "ndim", 0) > 0) or hasattr(key, "access")


def _basic(access: Access, keys: list[Any]) -> Access:
    offset, dims, bounds, axis = access.offset, [], [], 0
    # Bounds speak of result dims, so they are filled in once the rank of the result is known.
    pending: list[tuple[Affine, int | None, int, int, int]] = []
    for key in keys:
        if key is None:
            dims.append(Dim(0, 1))
            continue
        dim = access.dims[axis]
        start, step, count = _span(access, key, dim.count, axis)
        offset = offset + start * dim.step
        if count is not None:
            pending.append((start, len(dims), step, axis, dim.count))
            dims.append(Dim(dim.step * step if count > 1 else dim.step, count))
        else:
            pending.append((start, None, 0, axis, dim.count))
        axis += 1
    for start, position, step, axis, size in pending:
        steps = tuple(step if d == position else 0 for d in range(len(dims)))
        bounds.append(Bound(start, steps, axis, size))
    return _view(access, offset, tuple(dims), bounds)


def _span(access: Access, key: Any, size: int, axis: int) -> tuple[Affine, int, int | None]:
    """Start, step and count of a basic key; count None where the dim disappears."""
    match key:
        case slice():
            step = 1 if key.step is None else operator.index(key.step)
            if step < 1:
                raise RuleError(
                    "slice.bounds", "a slice needs a positive step", given=f"step {step}", allowed="step >= 1"
                )
            start = _edge(key.start, 0, size)
            stop = _edge(key.stop, size, size)
            length = stop - start
            if not isinstance(length, int):
                length = length.base.constant if not length.base.terms else operator.index(length)
            return _affine(start), step, max(0, -(-length // step))
        case DynamicSlice():
            return _affine(key.start), 1, operator.index(key.size)
        case int() | np.integer():
            value = int(key)
            return Affine(value + size if -size <= value < 0 else value), 0, None
        case _:
            return _affine(key), 0, None


def _edge(value: Any, default: int, size: int) -> Any:
    match value:
        case None:
            return default
        case int() | np.integer():
            return int(value) + size if -size <= int(value) < 0 else int(value)
        case Index():
            return value
        case _:
            return operator.index(value)


def _affine(value: Any) -> Affine:
    match value:
        case Index() if value.ndim == 0:
            return value.base
        case _:
            return Affine(operator.index(value))


def _advanced(access: Access, keys: list[Any]) -> Access:
    tiles = [(axis, k.access) for axis, k in enumerate(keys) if hasattr(k, "access")]
    indices = [None if hasattr(k, "access") else _as_index(k) for k in keys]
    shapes = [i.shape for i in indices if i is not None] + [t.shape for _, t in tiles]
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
        raise RuleError(
            "err_1d_arange_not_supported",
            f"tensor '{access.buffer.name}' in {access.buffer.space} is indexed with a rank-1 nl.arange",
            given=f"an index of shape {list(shape)}",
            allowed="indices of rank 2 or more, such as nl.arange(n)[:, None]",
        )
    offset, steps, bounds = access.offset, [0] * len(shape), []
    for axis, (index, dim) in enumerate(zip(indices, access.dims)):
        if index is None:
            continue
        moves = index._steps_in(shape)
        offset = offset + index.base * dim.step
        steps = [s + m * dim.step for s, m in zip(steps, moves)]
        bounds.append(Bound(index.base, moves, axis, dim.count))
    view = _view(access, offset, tuple(map(Dim, steps, shape)), bounds)
    return _with_indirect(access, view, tiles, shape) if tiles else view


def _mixed(access: Access, keys: list[Any]) -> Access:
    """An indirect index beside slices: the tile takes its axis's place, the slices keep theirs."""
    tiles = [(axis, k.access) for axis, k in enumerate(keys) if hasattr(k, "access")]
    if len(tiles) != 1 or any(_is_advanced(k) and not hasattr(k, "access") for k in keys):
        raise not_modelled("index tensors mixed with slices in one subscript")
    axis, tile = tiles[0]
    static = [slice(0, 1) if a == axis else k for a, k in enumerate(keys)]
    base = _basic(access, static)
    dims = list(base.dims)
    before = sum(k is None or isinstance(k, (slice, DynamicSlice)) for k in keys[:axis])
    dims[before] = Dim(0, tile.size)
    bounds = [b for b in base.unchecked if b.axis != axis]
    view = Access(base.buffer, base.offset, tuple(dims), None, tuple(bounds))
    if before:
        raise _free_axis(access, axis)
    return _with_indirect(access, view, tiles, view.shape)


def _with_indirect(access: Access, view: Access, tiles: list[tuple[int, Access]], shape: tuple[int, ...]) -> Access:
    if len(tiles) > 1:
        raise RuleError(
            "ap.one_dynamic",
            "one tensor can have one indirect index",
            given=f"{len(tiles)} tiles",
            allowed="one",
        )
    axis, tile = tiles[0]
    rules_of_index_tile(tile)
    if access.buffer.space is not Space.HBM:
        # Instructions refuse or accept it, each with the rule that it has for a dynamic index on chip.
        dim = access.dims[axis]
        return replace(view, indirect=Indirect(tile, dim.step, axis, dim.count, tile.size > 1))
    free = len(access.dims) > 1 and axis == len(access.dims) - 1
    per_row = tile.size == shape[0] and (tile.shape[:1] == shape[:1] or len(tile.shape) == 1)
    if free or not per_row:
        raise _free_axis(access, axis, tile)
    dim = access.dims[axis]
    return Access(view.buffer, view.offset, view.dims, Indirect(tile, dim.step, axis, dim.count), view.unchecked)


def rules_of_index_tile(tile: Access) -> None:
    """An indirect index is an int32 or uint32 tile in SBUF (clause C8)."""
    if tile.buffer.space is not Space.SBUF:
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


def _free_axis(access: Access, axis: int, tile: Access | None = None) -> RuleError:
    given = f"a tile on axis {axis} of {list(access.shape)}"
    return RuleError(
        "err_indirect_indices_free_dim",
        f"the indirect index of tensor '{access.buffer.name}' must give one row per partition",
        given=given + (f", index shape {list(tile.shape)}" if tile else ""),
        allowed="an index of shape [P, 1] on a leading axis (built with nl.arange, not with nl.mgrid)",
    )


def _as_index(key: Any) -> Index:
    match key:
        case Index():
            return key
        case int() | np.integer():
            return scalar(int(key))
        case _:
            return scalar(operator.index(key))


def _view(access: Access, offset: Affine, dims: tuple[Dim, ...], bounds: list[Bound]) -> Access:
    shape = tuple(d.count for d in dims)
    open_ones = [b for b in bounds if not _surely_inside(b, shape)]
    if access.unchecked:
        raise not_modelled("a subscript of a view that may leave its tensor")
    return Access(access.buffer, offset, dims, None, tuple(open_ones))


def _surely_inside(bound: Bound, shape: tuple[int, ...]) -> bool:
    low, high = bound.base.bounds()
    for step, count in zip(bound.steps, shape):
        if count == 0:
            return True
        reach = step * (count - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low >= 0 and high < bound.size


def _on_chip_rank(access: Access, view: Access, keys: list[Any]) -> Access:
    """On chip an integer never removes the partition axis, and a tile keeps at least one free axis."""
    buffer = access.buffer
    if not buffer.space.on_chip or len(view.dims) >= len(access.dims):
        return view
    blocks = max(0, len(access.dims) - (len(buffer.shape) - buffer.partition_axis))
    dims, position, axis = [], 0, 0
    for key in keys:
        dropped = not (isinstance(key, (slice, DynamicSlice)) or key is None)
        if not dropped:
            dims.append(view.dims[position])
            position += 1
        elif axis == blocks:
            dims.append(Dim(access.dims[axis].step, 1))
        axis += key is not None
    if len(dims) == 1:
        dims.append(Dim(1, 1))
    if len(dims) == len(view.dims):
        return view
    bounds = tuple(Bound(b.base, _moved(b, view.dims, tuple(dims)), b.axis, b.size) for b in view.unchecked)
    return Access(buffer, view.offset, tuple(dims), None, bounds)


def _moved(bound: Bound, old: tuple[Dim, ...], new: tuple[Dim, ...]) -> tuple[int, ...]:
    steps, rest = [], list(zip(bound.steps, old))
    for dim in new:
        steps.append(rest.pop(0)[0] if rest and rest[0][1] is dim else 0)
    return tuple(steps)


def _spell(key: Any) -> str:
    match key:
        case slice():
            return ":"
        case DynamicSlice():
            return "nl.ds"
        case _ if hasattr(key, "access"):
            return "a tile"
        case _:
            return str(key)
