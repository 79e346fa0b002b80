"""Views of an access: reshape, broadcast, new axes, other element types. None of them moves an element."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.buffer import Buffer, row_major_strides
from jnki.access.partition import marked_axis
from jnki.dtypes import ElementType
from jnki.errors import RuleError, not_modelled


def reshaped_access(access: Access, shape: tuple[int, ...]) -> Access:
    """The same elements in the same order under `shape` (one size may be -1).

    On chip block axes, the partition axis and free axes are each reshaped among themselves. `nl.par_dim` in `shape`
    says which axis is the partition axis; without it, it is the one that leaves as many blocks in front of it.

    Raises:
        RuleError: the element counts differ, the order of the elements has no steps, or on chip the partition axis
            would change.
    """
    wanted = shape
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        shape = tuple(type(n)(access.size // known) if n == -1 and known else n for n in shape)
    if math.prod(shape) != access.size or min(shape, default=0) < 0:
        raise _reshape_error(access, wanted, "equally many elements")
    blocks = _partition_axis(access, shape) if access.buffer.space.on_chip else 0
    if tuple(shape) == access.shape and blocks == access.blocks:
        return access
    _direct(access, "reshape")
    _inside(access, "reshape")
    if access.buffer.space.on_chip:
        old, place = access.blocks, access.dims[access.blocks]
        in_front = _split_dims(access.dims[:old], shape[:blocks])
        behind = _split_dims(access.dims[old + 1 :], shape[blocks + 1 :])
        dims = None if in_front is None or behind is None else (*in_front, place, *behind)
    else:
        dims = _split_dims(access.dims, shape)
    if dims is None:
        raise _reshape_error(access, shape, "a reshape within contiguous axes; copy the view first")
    return Access(access.buffer, access.offset, dims, blocks=blocks)


def _partition_axis(access: Access, shape: tuple[int, ...]) -> int:
    """The axis of `shape` that the partition axis of an on-chip `access` becomes."""
    size, old = access.shape[access.blocks], access.blocks
    marked = marked_axis(shape)
    places = [
        axis
        for axis in (range(len(shape)) if marked is None else [marked])
        if shape[axis] == size
        and math.prod(shape[:axis]) == math.prod(access.shape[:old])
        and math.prod(shape[axis + 1 :]) == math.prod(access.shape[old + 1 :])
    ]
    if not places:
        blocks = math.prod(access.shape[:old])
        in_front = f", with {blocks} block{'s' * (blocks != 1)} in front of it" if old or marked else ""
        raise _reshape_error(access, shape, f"a shape that keeps the partition axis of size {size}{in_front}")
    place = old if old in places else places[0]
    if len(shape) - place < 2:
        raise RuleError(
            "index.rank2_onchip",
            f"tensor '{access.buffer.name}' in {access.buffer.space} needs a partition axis and a free axis",
            given=f"{list(access.shape)} to {list(shape)}",
            allowed="rank 2 or more, such as [P, 1]",
        )
    return place


def _split_dims(old: tuple[Dim, ...], shape: tuple[int, ...]) -> tuple[Dim, ...] | None:
    """Dims of `shape` that walk what `old` walk, which split or join those that follow each other without a gap."""
    if 0 in shape:
        return tuple(Dim(0, int(count)) for count in shape)
    merged: list[Dim] = []
    for dim in old:
        if dim.count == 1:
            continue
        if merged and merged[-1].step == dim.step * dim.count:
            merged[-1] = Dim(dim.step, merged[-1].count * dim.count)
        else:
            merged.append(dim)
    dims: list[Dim] = []
    rest = list(reversed(merged))
    left = rest[-1].count if rest else 1
    for count in shape:
        if count == 1:
            dims.append(Dim(0, 1))
            continue
        if left == 1:
            rest.pop()
            left = rest[-1].count
        if left % count:
            return None
        left //= count
        dims.append(Dim(rest[-1].step * left, int(count)))
    return tuple(dims)


def broadcast_access(access: Access, shape: tuple[int, ...]) -> Access:
    """A view in which axes of size 1 (and new leading axes) repeat.

    On chip new axes in front of the partition axis are block axes. Only what is in one partition can repeat over
    partitions, and then the first of the new axes is the partition axis, as it is in any tile of `shape`.

    Raises:
        RuleError: NumPy would not broadcast it so, or `nl.par_dim` marks another axis.
    """
    try:
        fits = np.broadcast_shapes(access.shape, shape) == shape
    except ValueError:
        fits = False
    pad = len(shape) - len(access.dims)
    blocks = access.blocks + pad if access.buffer.space.on_chip else 0
    marked = marked_axis(shape) if access.buffer.space.on_chip else None
    in_one_partition = access.blocks == 0 and access.shape[:1] == (1,)
    if in_one_partition and (marked or 0) <= pad:
        blocks = marked or 0
    if not fits or marked not in (None, blocks):
        raise RuleError(
            "tensor.broadcast_to",
            f"tensor '{access.buffer.name}' does not broadcast to the shape",
            given=f"{list(access.shape)} to {list(shape)}",
            allowed="axes of size 1, by NumPy's rules"
            + (f", with the partition axis on axis {blocks}" if marked not in (None, blocks) else ""),
        )
    if tuple(shape) == access.shape:
        return access
    _direct(access, "broadcast_to")
    dims = [Dim(0, int(n)) for n in shape[:pad]]
    dims += [d if d.count == n else Dim(0, int(n)) for d, n in zip(access.dims, shape[pad:])]
    kept = [d.count == n for d, n in zip(access.dims, shape[pad:])]
    unchecked = tuple(
        replace(b, steps=(*(0,) * pad, *(step * keep for step, keep in zip(b.steps, kept)))) for b in access.unchecked
    )
    return Access(access.buffer, access.offset, tuple(dims), None, unchecked, blocks)


def expanded_access(access: Access, axis: int | Sequence[int]) -> Access:
    """A view with new axes of size 1 at the positions `axis` of the result.

    Raises:
        RuleError: on chip, an axis in front of the partition axis.
    """
    _direct(access, "expand_dims")
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    rank = len(access.dims) + len(axes)
    places = sorted(a + rank if a < 0 else a for a in axes)
    first = access.blocks + 1 if access.buffer.space.on_chip else 0
    if any(not first <= a < rank for a in places) or len(set(places)) != len(places):
        raise RuleError(
            "tensor.expand_dims",
            "a new axis must stand among the free axes",
            given=f"axis {axis} of {list(access.shape)}",
            allowed=f"{first} to {rank - 1}" + (", each once" if len(places) > 1 else ""),
        )
    dims = list(access.dims)
    bounds = [list(bound.steps) for bound in access.unchecked]
    for place in places:
        dims.insert(place, Dim(0, 1))
        for steps in bounds:
            steps.insert(place, 0)
    unchecked = tuple(replace(bound, steps=tuple(steps)) for bound, steps in zip(access.unchecked, bounds))
    return Access(access.buffer, access.offset, tuple(dims), None, unchecked, access.blocks)


def viewed_access(access: Access, dtype: ElementType) -> Access:
    """The same bytes as elements of another type.

    Raises:
        RuleError: `view.divisible`, where the last axis is not contiguous or its bytes do not divide.
    """
    old, new = access.dtype.size_bytes, dtype.size_bytes
    if access.dtype == dtype:
        return access
    _direct(access, "view")
    if old != new:
        _inside(access, "view")
    last = access.dims[-1] if access.dims else Dim(0, 1)
    buffer = access.buffer
    if old == new:
        return replace(access, buffer=_as_type(buffer, buffer.shape, dtype))
    scalable = [
        access.offset.constant,
        *(c for _, c in access.offset.terms),
        *(d.step for d in access.dims[:-1] if d.count > 1),
    ]
    is_contiguous = last.step == 1 or (last.count == 1 and access.dims != ())
    fits = is_contiguous and all(n * old % new == 0 for n in (*scalable, last.count, buffer.shape[-1]))
    if not fits:
        raise RuleError(
            "view.divisible",
            f"tensor '{buffer.name}' cannot be viewed as {dtype}",
            given=f"{list(access.shape)} {access.dtype}, last step {last.step}",
            allowed="a contiguous last axis whose bytes divide by the new element size",
        )
    shape = (*buffer.shape[:-1], buffer.shape[-1] * old // new)
    offset = type(access.offset)(
        access.offset.constant * old // new, tuple((s, c * old // new) for s, c in access.offset.terms)
    )
    dims = tuple(Dim(d.step * old // new, d.count) for d in access.dims[:-1])
    dims = (*dims, Dim(1, last.count * old // new))
    return Access(_as_type(buffer, shape, dtype), offset, dims, blocks=access.blocks)


def _as_type(buffer: Buffer, shape: tuple[int, ...], dtype: ElementType) -> Buffer:
    return Buffer(buffer.name, buffer.space, shape, dtype, buffer.partition_axis)


def is_contiguous(access: Access) -> bool:
    """Whether the elements follow each other without a gap, in order."""
    strides = row_major_strides(access.shape)
    return all(d.count == 1 or d.step == s for d, s in zip(access.dims, strides))


def _direct(access: Access, what: str) -> None:
    if access.indirect is not None:
        raise not_modelled(f"{what} of an access with an indirect index")


def _inside(access: Access, what: str) -> None:
    if access.unchecked:
        raise not_modelled(f"{what} of a view that may leave its tensor")


def _reshape_error(access: Access, shape: tuple[int, ...], allowed: str) -> RuleError:
    return RuleError(
        "reshape.partition_kept" if "partition" in allowed else "tensor.reshape",
        f"tensor '{access.buffer.name}' cannot be reshaped",
        given=f"{list(access.shape)} to {list(shape)}",
        allowed=allowed,
    )
