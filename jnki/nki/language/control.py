"""Loops that run in Python, the launch grid, and the limits of tiles."""

import math
import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jnki.errors import RuleError
from jnki.record.recorder import current


def _range(function: str, start: Any, stop: Any, step: Any) -> range:
    numbers = (start, step) if stop is None else (start, stop, step)
    try:
        first, *rest = (operator.index(n) for n in numbers)
    except TypeError:
        raise TypeError(
            f"nl.{function} runs in Python, and takes integers; nl.fori_loop takes a register: got {numbers}"
        ) from None
    return range(0, first, rest[0]) if stop is None else range(first, *rest)


def affine_range(start: int, stop: int | None = None, step: int = 1) -> range:
    """The integers of a loop; it runs in Python, as `range` does."""
    return _range("affine_range", start, stop, step)


def sequential_range(start: int, stop: int | None = None, step: int = 1) -> range:
    """The integers of a loop; it runs in Python, as `range` does."""
    return _range("sequential_range", start, stop, step)


def static_range(start: int, stop: int | None = None, step: int = 1) -> range:
    """The integers of a loop; it runs in Python, as `range` does."""
    return _range("static_range", start, stop, step)


@contextmanager
def no_reorder() -> Iterator[None]:
    """Inside, the scheduler keeps the order that is written, which changes no value; no loop on the device begins."""
    recorder = current("nl.no_reorder")
    recorder.no_reorder += 1
    try:
        yield
    finally:
        recorder.no_reorder -= 1


def program_id(axis: int = 0) -> int:
    """The number of this core among those of the launch, 0 without a launch grid."""
    recorder = current("nl.program_id")
    _check_axis("program_id", axis, len(recorder.grid))
    return int(recorder.programs[axis]) if recorder.grid else 0


def num_programs(axes: int | Sequence[int] | None = 0) -> int:
    """How many cores the kernel is launched on, 1 without a launch grid."""
    grid = current("nl.num_programs").grid
    if axes is None or not grid:
        return math.prod(grid)
    chosen = (axes,) if isinstance(axes, int) else tuple(axes)
    for axis in chosen:
        _check_axis("num_programs", axis, len(grid))
    return math.prod(grid[axis] for axis in chosen)


def program_ndim() -> int:
    """How many axes the launch grid has: 1, or 0 without one."""
    return len(current("nl.program_ndim").grid)


def _check_axis(function: str, axis: int, rank: int) -> None:
    if not 0 <= axis < max(rank, 1):
        raise RuleError("spmd.axis", f"nl.{function}: no such axis", given=str(axis), allowed="0")
