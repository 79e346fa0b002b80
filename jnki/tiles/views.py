"""Views of an access: reshape, broadcast, new axes, other element types. None of them moves an element."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.buffer import Buffer, row_major_strides
from jnki.dtypes import ElementType
from jnki.errors import RuleError, not_modelled


def reshaped_access(access: Access, shape: tuple[int, ...]) -> Access:
    """The same elements in the same order under `shape` (one size may be -1).

    Raises:
        RuleError: the element counts differ, or on chip the partition axis would change.
    """
    if shape.count(-1) == 1:
        known = -math.prod(shape)
        shape = tuple(access.size // known if n == -1 and known else n for n in shape)
    if math.prod(shape) != access.size:
        raise _reshape_error(access, shape, "equally many elements")
    if shape == access.shape:
        return access
    _direct(access, "reshape")
    if access.buffer.space.on_chip and access.shape[:1] != shape[:1]:
        raise _reshape_error(access, shape, f"a shape that keeps the partition axis of size {access.shape[0]}")
    dims = _split_dims(access, shape)
    if dims is None:
        raise _reshape_error(access, shape, "a reshape within contiguous axes; copy the view first")
    return Access(access.buffer, access.offset, dims)


def _split_dims(access: Access, shape: tuple[int, ...]) -> tuple[Dim, ...] | None:
    """Dims of the new shape, where its axes split or join axes that follow each other without a gap."""
    if access.size == 0:
        return tuple(Dim(0, count) for count in shape)
    old = [d for d in access.dims if d.count != 1]
    merged: list[Dim] = []
    for dim in old:
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
        dims.append(Dim(rest[-1].step * left, count))
    return tuple(dims)


def broadcast_access(access: Access, shape: tuple[int, ...]) -> Access:
    """A view in which axes of size 1 (and new leading axes) repeat.

    Raises:
        RuleError: NumPy would not broadcast it so.
    """
    try:
        fits = np.broadcast_shapes(access.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise RuleError(
            "tensor.broadcast_to",
            f"tensor '{access.buffer.name}' does not broadcast to the shape",
            given=f"{list(access.shape)} to {list(shape)}",
            allowed="axes of size 1, by NumPy's rules",
        )
    if shape == access.shape:
        return access
    _direct(access, "broadcast_to")
    pad = len(shape) - len(access.dims)
    dims = [Dim(0, n) for n in shape[:pad]]
    dims += [d if d.count == n else Dim(0, n) for d, n in zip(access.dims, shape[pad:])]
    return Access(access.buffer, access.offset, tuple(dims))


def expanded_access(access: Access, axis: int | Sequence[int]) -> Access:
    """A view with new axes of size 1 at the positions `axis` of the result.

    Raises:
        RuleError: on chip, an axis before the partition axis.
    """
    _direct(access, "expand_dims")
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    rank = len(access.dims) + len(axes)
    places = sorted(a + rank if a < 0 else a for a in axes)
    if any(not 0 <= a < rank for a in places) or (access.buffer.space.on_chip and 0 in places):
        raise RuleError(
            "tensor.expand_dims",
            "a new axis must stand among the free axes",
            given=f"axis {axis} of {list(access.shape)}",
            allowed=f"{1 if access.buffer.space.on_chip else 0} to {rank - 1}",
        )
    dims = list(access.dims)
    for place in places:
        dims.insert(place, Dim(0, 1))
    return Access(access.buffer, access.offset, tuple(dims))


def viewed_access(access: Access, dtype: ElementType) -> Access:
    """The same bytes as elements of another type.

    Raises:
        RuleError: `view.divisible`, where the last axis is not contiguous or its bytes do not divide.
    """
    old, new = access.dtype.size_bytes, dtype.size_bytes
    if access.dtype == dtype:
        return access
    _direct(access, "view")
    last = access.dims[-1] if access.dims else Dim(1, 1)
    buffer = access.buffer
    if old == new:
        return replace(access, buffer=_as_type(buffer, buffer.shape, dtype))
    scalable = [
        access.offset.constant,
        *(c for _, c in access.offset.terms),
        *(d.step for d in access.dims[:-1]),
    ]
    fits = last.step == 1 and all(n * old % new == 0 for n in (*scalable, last.count, buffer.shape[-1]))
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
    return Access(_as_type(buffer, shape, dtype), offset, (*dims, Dim(1, last.count * old // new)))


def _as_type(buffer: Buffer, shape: tuple[int, ...], dtype: ElementType) -> Buffer:
    return Buffer(buffer.name, buffer.space, shape, dtype, buffer.partition_axis)


def is_contiguous(access: Access) -> bool:
    """Whether the elements follow each other without a gap, in order."""
    strides = row_major_strides(access.shape)
    return all(d.count == 1 or d.step == s for d, s in zip(access.dims, strides))


def _direct(access: Access, what: str) -> None:
    if access.indirect is not None or access.unchecked:
        raise not_modelled(f"{what} of an access with an indirect or masked index")


def _reshape_error(access: Access, shape: tuple[int, ...], allowed: str) -> RuleError:
    return RuleError(
        "reshape.partition_kept" if "partition" in allowed else "tensor.reshape",
        f"tensor '{access.buffer.name}' cannot be reshaped",
        given=f"{list(access.shape)} to {list(shape)}",
        allowed=allowed,
    )
