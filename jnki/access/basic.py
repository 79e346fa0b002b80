"""Basic indexing: integers, loop indices, slices, `nl.ds` and `None`, as NumPy has them.

On chip an integer never removes the partition axis, and what follows that axis is never nothing: a tile keeps a free
axis. Which axis is which is a property of the view that is indexed, whatever the shape of its buffer.
"""

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import ZERO, Affine
from jnki.access.index import Index
from jnki.access.walk import Walk, walked
from jnki.errors import RuleError


@dataclass(frozen=True, slots=True)
class DynamicSlice:
    """`nl.ds(start, size)`: `size` elements from `start`, which may depend on a loop index."""

    start: Any
    size: int


def is_slice(key: Any) -> bool:
    """Whether the key keeps its axis, or makes a new one."""
    return key is None or isinstance(key, (slice, DynamicSlice))


def basic_view(access: Access, keys: list[Any]) -> Access:
    """The view that `keys`, one per dim of `access` and any number of `None`, name."""
    on_chip = access.buffer.space.on_chip
    spans: list[tuple[Affine, int, int | None]] = []  # start, step, dim of the result
    shape: list[int] = []
    blocks = access.blocks
    for key in keys:
        axis = len(spans)
        in_front = on_chip and axis <= access.blocks
        if key is None:
            blocks += in_front
            shape.append(1)
            continue
        start, step, count = _span(key, access.dims[axis].count)
        if count is None and on_chip and axis == access.blocks:
            step, count = 1, 1
        spans.append((start, step, None if count is None else len(shape)))
        if count is not None:
            shape.append(count)
        else:
            blocks -= in_front
    if on_chip and len(shape) - blocks < 2:
        shape.append(1)
    walks = [Walk(start, _moving(step, at, len(shape))) for start, step, at in spans]
    return walked(access, walks, tuple(shape), blocks)


def _moving(step: int, dim: int | None, rank: int) -> tuple[int, ...]:
    """`step` along one of `rank` dims."""
    return (0,) * rank if dim is None else (*(0,) * dim, step, *(0,) * (rank - 1 - dim))


def _span(key: Any, size: int) -> tuple[Affine, int, int | None]:
    """Start, step and count of a basic key; count None where the dim disappears."""
    match key:
        case slice(start=None, stop=None, step=None):
            return ZERO, 1, size
        case slice():
            step = 1 if key.step is None else operator.index(key.step)
            if step < 1:
                raise RuleError(
                    "slice.bounds", "a slice needs a positive step", given=f"step {step}", allowed="step >= 1"
                )
            start = _edge(key.start, 0, size)
            stop = _edge(key.stop, size, size)
            length = stop - start
            if isinstance(length, Index):
                length = length.base.constant if not length.base.terms else operator.index(length)
            count = max(0, -(-length // step))
            return _affine(start), step if count > 1 else 1, count
        case DynamicSlice():
            return _affine(key.start), 1, operator.index(key.size)
        case Index():
            return _affine(key), 0, None
        case int() | np.integer():
            value = int(key)
            return Affine(value + size if -size <= value < 0 else value), 0, None
        case _:
            return _affine(key), 0, None


def _edge(value: Any, default: int, size: int) -> Any:
    match value:
        case None:
            return default
        case Index():
            return value
        case int() | np.integer():
            return int(value) + size if -size <= int(value) < 0 else int(value)
        case _:
            return operator.index(value)


def _affine(value: Any) -> Affine:
    match value:
        case Index() if value.ndim == 0:
            return value.base
        case _:
            return Affine(operator.index(value))
