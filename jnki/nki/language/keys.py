"""`tensor[...]`: integers, slices, `...` and `nl.ds`, as views by dimension.

In HBM an integer drops its dim, down to one dim. On chip an integer on dim 0 keeps it with size 1, and the last free
dim stays with size 1 where an integer would leave none.
"""

import operator
from dataclasses import dataclass
from typing import Any

from jnki.access import strided
from jnki.access.access import Access, Dim
from jnki.access.selected import select_at
from jnki.errors import RuleError

_WHOLE = slice(None)


@dataclass(frozen=True, slots=True)
class DynamicSlice:
    """`nl.ds(start, size)`: `size` places from `start`, an integer or a register."""

    start: Any
    size: int


_KINDS = (int, slice, DynamicSlice)


def ds(start: Any, size: int) -> DynamicSlice:
    """`size` places from `start`, as an index: `t[nl.ds(start, size), :]`.

    Args:
        start: an integer, a register, or one element in SBUF.
        size: how many places.
    """
    return DynamicSlice(start, operator.index(size))


def keyed(access: Access, key: Any) -> Access:
    """The part of `access` that `key` names.

    Raises:
        RuleError: `index.rank`, `index.kind`, `index.bounds`, `slice.bounds`, or a rule of a dynamic index.
    """
    keys = _expanded(access, key if isinstance(key, tuple) else (key,))
    stays = _staying(access, keys)
    # From the last dim on, so that dims in front keep their numbers. In one pass: kernels index all the time.
    offset, dims, moving = 0, list(access.dims), []
    for dim in reversed(range(len(keys))):
        one, old = keys[dim], dims[dim]
        if one is _WHOLE or (isinstance(one, slice) and one == _WHOLE):
            continue
        if isinstance(one, (slice, DynamicSlice)):
            if (span := _span(one, old.count)) is None:
                moving.append(dim)
                continue
            start, end, step = span
            strided.check_slice(access, dim, start, end, step)
            offset += start * old.step
            dims[dim] = Dim(old.step * step, -(-(end - start) // step))
        elif hasattr(one, "access"):
            moving.append(dim)
        else:
            place = _from_end(operator.index(one), old.count)
            strided.check_place(access, dim, place)
            offset += place * old.step
            dims[dim : dim + 1] = [Dim(old.step, 1)] if dim in stays else []
    part = Access(access.buffer, access.offset + offset, tuple(dims), access.indirect)
    for dim in moving:
        # Of what was in front, integers are gone.
        gone = sum(not isinstance(keys[d], (slice, DynamicSlice)) and d not in stays for d in range(dim))
        part = _moved(part, dim - gone, keys[dim], dim in stays)
    return part


def _staying(access: Access, keys: list[Any]) -> set[int]:
    """The dims that an integer does not drop."""
    on_chip = access.buffer.space.on_chip
    kept = on_chip or (access.indirect is not None and access.indirect.is_vector)
    stays = {0} if kept else set()
    left = sum(isinstance(one, (slice, DynamicSlice)) or dim in stays for dim, one in enumerate(keys))
    least = 2 if on_chip else 1
    if left < least <= len(keys):
        stays.add(len(keys) - 1)
    return stays


def _span(key: slice | DynamicSlice, size: int) -> tuple[int, int, int] | None:
    """Start, end and step of a key; None where its start is known at run time only."""
    if isinstance(key, DynamicSlice):
        if hasattr(key.start, "access"):
            return None
        start = operator.index(key.start)
        return start, start + key.size, 1
    start = 0 if key.start is None else _from_end(operator.index(key.start), size)
    end = size if key.stop is None else _from_end(operator.index(key.stop), size)
    return start, end, 1 if key.step is None else operator.index(key.step)


def _moved(access: Access, dim: int, key: Any, stays: bool) -> Access:
    """The view from a place of one dim on that is known at run time."""
    if isinstance(key, DynamicSlice):
        return select_at(access, dim, key.start.access, keep=key.size)
    return select_at(access, dim, key.access, keep=1 if stays else 0)


def _from_end(index: int, size: int) -> int:
    return index + size if -size <= index < 0 else index


def _is_number(key: Any) -> bool:
    return hasattr(key, "__index__") and not isinstance(key, bool) and getattr(key, "ndim", 0) == 0


def _expanded(access: Access, keys: tuple[Any, ...]) -> list[Any]:
    """One key for each dim: `...` filled in, missing trailing dims whole."""
    for key in keys:
        if not (type(key) in _KINDS or key is Ellipsis or hasattr(key, "access") or _is_number(key)):
            raise RuleError(
                "index.kind",
                f"tensor '{access.buffer.name}' cannot be indexed with {type(key).__name__}",
                given=f"{key}"[:120],
                allowed="integers, slices, nl.ds, ..., registers; t.ap, t.select and t.vector_select for the rest",
            )
    ellipses = [at for at, key in enumerate(keys) if key is Ellipsis]
    missing = len(access.dims) - (len(keys) - len(ellipses))
    if missing < 0 or len(ellipses) > 1:
        raise RuleError(
            "index.rank",
            f"too many indices for tensor '{access.buffer.name}'",
            given=f"{len(keys) - len(ellipses)} indices",
            allowed=f"at most {len(access.dims)}, and one '...'",
        )
    at = ellipses[0] if ellipses else len(keys)
    return [*keys[:at], *[_WHOLE] * missing, *keys[at + 1 :]]
