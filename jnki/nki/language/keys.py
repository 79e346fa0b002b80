"""`tensor[...]`: integers, slices, `...` and `nl.ds`, as views by dimension.

In HBM an integer drops its dim, down to one dim. On chip an integer on dim 0 keeps it with size 1, and the last free
dim stays with size 1 where an integer would leave none.
"""

import operator
from dataclasses import dataclass
from typing import Any

from jnki.access import strided
from jnki.access.access import Access
from jnki.access.selected import select_at
from jnki.errors import RuleError

_WHOLE = slice(None)


@dataclass(frozen=True, slots=True)
class DynamicSlice:
    """`nl.ds(start, size)`: `size` places from `start`, an integer or a register."""

    start: Any
    size: int


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
    kept = access.buffer.space.on_chip or (access.indirect is not None and access.indirect.is_vector)
    numbers = [dim for dim, one in enumerate(keys) if not isinstance(one, (slice, DynamicSlice))]
    stays = {0} if kept else set()
    least = 2 if access.buffer.space.on_chip else 1
    if len(keys) - len([dim for dim in numbers if dim not in stays]) < least and len(keys) >= least:
        stays.add(len(keys) - 1)
    # From the last dim on, so that dims in front keep their numbers.
    for dim in reversed(range(len(keys))):
        access = _one(access, dim, keys[dim], dim in stays)
    return access


def _one(access: Access, dim: int, key: Any, stays: bool) -> Access:
    size = access.dims[dim].count
    match key:
        case slice():
            if key == _WHOLE:
                return access
            start, stop, step = (None if n is None else operator.index(n) for n in (key.start, key.stop, key.step))
            first = 0 if start is None else _from_end(start, size)
            end = size if stop is None else _from_end(stop, size)
            return strided.slice_dim(access, dim, first, end, 1 if step is None else step)
        case DynamicSlice(start, length):
            if hasattr(start, "access"):
                return select_at(access, dim, start.access, keep=length)
            first = operator.index(start)
            return strided.slice_dim(access, dim, first, first + length)
        case _ if hasattr(key, "access"):
            return select_at(access, dim, key.access, keep=1 if stays else 0)
        case _:
            return strided.select_dim(access, dim, _from_end(operator.index(key), size), keep=stays)


def _from_end(index: int, size: int) -> int:
    return index + size if -size <= index < 0 else index


def _expanded(access: Access, keys: tuple[Any, ...]) -> list[Any]:
    """One key for each dim: `...` filled in, missing trailing dims whole."""
    for key in keys:
        is_number = hasattr(key, "__index__") and not isinstance(key, bool) and getattr(key, "ndim", 0) == 0
        if not (is_number or isinstance(key, (slice, DynamicSlice)) or key is Ellipsis or hasattr(key, "access")):
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
