"""Instructions of the Vector Engine that select elements and keep the largest: `range_select`, `select_reduce`."""

from typing import Any

import numpy as np

from jnki.isa.enums import reduce_cmd
from jnki.isa.operators import operator
from jnki.neuronxcc.nki.language.constants import fp32
from jnki.tiles import accumulating_selections
from jnki.tiles.tensor import Tensor


def range_select(
    *,
    on_true_tile: Tensor,
    comp_op0: Any,
    comp_op1: Any,
    bound0: Tensor,
    bound1: Tensor,
    reduce_cmd: reduce_cmd = reduce_cmd.idle,
    reduce_res: Tensor | None = None,
    reduce_op: Any = np.amax,
    range_start: Any = 0,
    on_false_value: Any = fp32.min,
    mask: Any = None,
    dtype: Any = None,
) -> Tensor:
    """A new SBUF tile with the elements whose index lies between two bounds, and the lowest float32 elsewhere.

    Args:
        on_true_tile: `[P, F...]` of a float type, in SBUF or PSUM.
        comp_op0, comp_op1: equal, less, less_equal, greater or greater_equal; `range_start + i` stands on the left.
        bound0, bound1: tiles `[P, 1]` of float32.
        reduce_cmd: what happens to the accumulator registers.
        reduce_res: a tile `[P, 1]` that takes the largest element.
        reduce_op: max.
        range_start: the index of the first element: an integer, or an expression of loop indices.
        on_false_value: `nl.fp32.min`.
        mask: what to leave unwritten, and out of the reduction.
        dtype: element type of the result; that of `on_true_tile` by default.

    Raises:
        RuleError: docs/isa/vector/range_select.md has the rules.
    """
    return accumulating_selections.range_select(
        on_true_tile,
        operator(comp_op0, "range_select", "comp_op0").name,
        operator(comp_op1, "range_select", "comp_op1").name,
        bound0,
        bound1,
        reduce_cmd=reduce_cmd,
        reduce_res=reduce_res,
        reduce_op=operator(reduce_op, "range_select", "reduce_op").name,
        range_start=range_start,
        on_false_value=on_false_value,
        mask=mask,
        dtype=dtype,
    )


def select_reduce(
    *,
    dst: Tensor,
    predicate: Tensor,
    on_true: Tensor,
    on_false: Any,
    reduce_res: Tensor | None = None,
    reduce_cmd: reduce_cmd = reduce_cmd.idle,
    reduce_op: Any = np.amax,
    reverse_pred: bool = False,
    mask: Any = None,
    dtype: Any = None,
) -> None:
    """Writes elements of `on_true` to `dst` where `predicate` is not zero, and `on_false` elsewhere.

    Args:
        dst: a tile in SBUF or PSUM.
        predicate: a tile of 8-bit or 16-bit integers, of the shape of `dst`.
        on_true: a tile of the shape of `dst`; not in PSUM together with `predicate`.
        on_false: a number, or a tile `[P, 1]`.
        reduce_res: a tile `[P, 1]` of a float type that takes the largest element.
        reduce_cmd: what happens to the accumulator registers.
        reduce_op: max.
        reverse_pred: whether `on_true` is taken where `predicate` is zero.
        mask: what to leave as it was, and out of the reduction.
        dtype: element type of the result, which is that of `dst`.

    Raises:
        RuleError: docs/isa/vector/select_reduce.md has the rules.
    """
    accumulating_selections.select_reduce(
        dst,
        predicate,
        on_true,
        on_false,
        reduce_res=reduce_res,
        reduce_cmd=reduce_cmd,
        reduce_op=operator(reduce_op, "select_reduce", "reduce_op").name,
        reverse_pred=reverse_pred,
        mask=mask,
        dtype=dtype,
    )
