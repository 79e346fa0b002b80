"""The SPMD launch grid, seen from inside and outside of a kernel."""

import math
from collections.abc import Sequence
from typing import Any

from jnki.errors import RuleError
from jnki.record.recorder import current


class spmd_dim(int):
    """The size of a grid axis tiled over NeuronCores; jnki runs all instances in order, wherever they would go."""

    def __new__(cls, *sizes: int) -> "spmd_dim":
        return super().__new__(cls, math.prod(int(n) for n in sizes))


class nc(int):
    """A number of NeuronCores along a grid axis: `nl.nc(2) * 4` is an axis of size 8."""

    def __mul__(self, other: Any) -> "spmd_dim":
        return spmd_dim(self, int(other))

    __rmul__ = __mul__


def program_id(axis: int) -> Any:
    """Index of this instance along an axis of the grid: symbolic, like a loop index. Without a grid it is 0."""
    recorder = current("nl.program_id")
    if not recorder.grid:
        return 0
    _check_axis("nl.program_id", axis, len(recorder.grid))
    return recorder.programs[axis]


def num_programs(axes: int | Sequence[int] | None = None) -> int:
    """Number of instances along these axes of the grid, or of the whole grid; 1 without a grid."""
    grid = current("nl.num_programs").grid
    if axes is None:
        return math.prod(grid)
    chosen = (axes,) if isinstance(axes, int) else tuple(axes)
    if not grid:
        return 1
    for axis in chosen:
        _check_axis("nl.num_programs", axis, len(grid))
    return math.prod(grid[axis] for axis in chosen)


def program_ndim() -> int:
    """Number of axes of the grid; 0 without one."""
    return len(current("nl.program_ndim").grid)


def _check_axis(function: str, axis: int, rank: int) -> None:
    if not 0 <= axis < rank:
        raise RuleError("spmd.axis", f"{function}: no such axis", given=str(axis), allowed=f"0 to {rank - 1}")
