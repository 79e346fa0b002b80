"""Reductions across iterations of loops and instances of the launch grid: `nl.loop_reduce`, `nl.all_reduce`."""

from collections.abc import Sequence
from typing import Any

from jnki.access.index import Index
from jnki.errors import RuleError, not_modelled
from jnki.isa.operators import operator as operator_of
from jnki.record.recorder import current
from jnki.tiles import loop_reduce as loops
from jnki.tiles.loop_reduce import LoopReduction
from jnki.tiles.moves import copy
from jnki.tiles.tensor import Tensor, as_tensor


def loop_reduce(x: Tensor, op: Any, loop_indices: Any, *, dtype: Any = None, mask: Any = None) -> LoopReduction:
    """The reduction of `x` over loops: `t[...] = nl.loop_reduce(x, np.add, [k])` is `t[...] = t + x`.

    Args:
        x: a tile of the shape of `t`.
        op: an associative and commutative operator, such as `np.add` or `nl.maximum`.
        loop_indices: the indices of the loops, or one index. They change no value.
        dtype: element type that the result is rounded to; that of `t` by default.
        mask: where false, `t` stays as it was.

    Raises:
        RuleError: the operator does not reduce, or the result is used in another way than by assigning it to a tile.
    """
    return loops.loop_reduce(x, op, loop_indices, dtype=dtype, mask=mask)


def all_reduce(
    x: Tensor,
    op: Any,
    program_axes: int | Sequence[int],
    *,
    dtype: Any = None,
    mask: Any = None,
    parallel_reduce: bool = True,
    asynchronous: bool = False,
) -> Tensor:
    """A new tile with `x` reduced over the instances of the launch grid along `program_axes`.

    Args:
        x: a tile.
        op: an operator that reduces, such as `np.add`.
        program_axes: axes of the grid, or the indices that `nl.program_id` gave for them.
        dtype: element type of the result; that of `x` by default.
        mask: what to leave unwritten.
        parallel_reduce, asynchronous: how hardware does it; they change no value.

    Raises:
        NotImplementedError: there are several instances along these axes. They run one after another here, so that no
            instance can have what a later one computes.
    """
    recorder = current("nl.all_reduce")
    as_tensor(x, "all_reduce", "x")
    operator = operator_of(op, "all_reduce")
    if operator.reduction is None:
        raise RuleError(
            "all_reduce.op", "all_reduce: the operator does not reduce", given=operator.name, allowed="such as add"
        )
    axes = program_axes if isinstance(program_axes, (tuple, list)) else (program_axes,)
    instances = 1
    for axis in axes:
        instances *= _size_along(recorder.grid, recorder.programs, axis)
    if instances > 1:
        raise not_modelled(f"nl.all_reduce over {instances} instances of a launch grid, which run one after another,")
    return copy(x, dtype=dtype, mask=mask)


def _size_along(grid: tuple[int, ...], programs: dict[int, Any], axis: Any) -> int:
    """How many instances there are along an axis of the grid, given by its number or by an index on it."""
    if not grid:
        return 1
    if isinstance(axis, Index):
        return next((grid[number] for number, program in programs.items() if program is axis), max(grid))
    if not 0 <= axis < len(grid):
        raise RuleError("spmd.axis", "nl.all_reduce: no such axis", given=str(axis), allowed=f"0 to {len(grid) - 1}")
    return grid[axis]
