"""Recording reductions that take several instructions: the mean and the variance along free axes."""

import math
from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.access.mask import Comparison, Mask, as_mask
from jnki.dtypes import ElementType, element_type, float32
from jnki.isa.vector.memset import Memset
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.compute import binary, free_axes, made, reduction, scalar_op
from jnki.tiles.tensor import Tensor, as_tensor, new_tile

Axes = int | Sequence[int]


def mean(x: Any, axis: Axes, *, dtype: Any = None, mask: Any = None, keepdims: bool = False) -> Tensor:
    """A new tile with the mean of `x` along free axes: of its enabled elements, where the mask speaks of these axes.

    Arithmetic is in float32; the result is rounded once.
    """
    return _mean(x, axis, _result_type(x, dtype, "mean"), dtype is not None, as_mask(mask), keepdims)


def variance(x: Any, axis: Axes, *, dtype: Any = None, mask: Any = None, keepdims: bool = False) -> Tensor:
    """A new tile with the mean, along free axes, of the squared distance of `x` from its mean."""
    kind, predicate = _result_type(x, dtype, "var"), as_mask(mask)
    middle = _mean(x, axis, float32, True, predicate, keepdims=True)
    distance = binary("subtract", x, middle, dtype=float32, mask=predicate)
    squares = binary("multiply", distance, distance, dtype=float32, mask=predicate)
    return _mean(squares, axis, kind, dtype is not None, predicate, keepdims)


def _mean(x: Any, axis: Axes, kind: ElementType, explicit: bool, mask: Mask | None, keepdims: bool) -> Tensor:
    source = as_tensor(x, "mean", "x").access
    axes = free_axes(source, axis, "mean")
    if mask is None or not _speaks_of(mask, len(source.dims), axes):
        total = reduction("add", x, axis, dtype=float32, mask=mask, keepdims=keepdims)
        rest = None if mask is None else _of_result(mask, len(source.dims), axes, keepdims)
        count = math.prod(source.shape[a] for a in axes)
        return scalar_op("divide", total, float(count), kind, rest, dtype_is_explicit=explicit)
    # How many elements are enabled may differ from place to place: ones are summed under the same mask.
    ones = _ones(source.shape[0], len(source.dims)).broadcast_to(source.shape)
    enabled = reduction("add", ones, axis, dtype=float32, mask=mask, keepdims=True)
    shares = binary("divide", x, enabled, dtype=float32, mask=mask)
    if explicit:
        return reduction("add", shares, axis, dtype=kind, mask=mask, keepdims=keepdims)
    return reduction("add", shares, axis, result=kind, mask=mask, keepdims=keepdims)


def _ones(partitions: int, rank: int) -> Tensor:
    recorder = current("nl.mean")

    def fill(dst: Access) -> Memset:
        memset = Memset(dst=dst, value=1.0, location=user_location())
        made(recorder, memset)
        return memset

    return new_tile(recorder, (partitions, *(1,) * (rank - 1)), float32, fill, name="ones")


def _result_type(x: Any, dtype: Any, function: str) -> ElementType:
    return as_tensor(x, function, "x").access.dtype if dtype is None else element_type(dtype)


def _aligned(comparison: Comparison, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    missing = rank - len(comparison.steps)
    return (0,) * missing + comparison.steps, (1,) * missing + comparison.shape


def _speaks_of(mask: Mask, rank: int, axes: tuple[int, ...]) -> bool:
    return any(_aligned(c, rank)[0][axis] for c in mask.comparisons for axis in axes)


def _of_result(mask: Mask, rank: int, axes: tuple[int, ...], keepdims: bool) -> Mask:
    """The mask of the reduced tile, for a mask that does not speak of the reduced axes."""
    moved = []
    for c in mask.comparisons:
        steps, shape = _aligned(c, rank)
        kept = [d for d in range(rank) if keepdims or d not in axes]
        steps, shape = tuple(steps[d] for d in kept), tuple(1 if d in axes else shape[d] for d in kept)
        if len(kept) == 1:
            steps, shape = (*steps, 0), (*shape, 1)
        moved.append(Comparison(c.base, steps, shape, c.test))
    return Mask(tuple(moved))
