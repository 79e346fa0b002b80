"""Instructions of the Vector Engine that walk along the free axes: `bn_aggr`, `bn_stats`, `tensor_tensor_scan`."""

from typing import Any

from jnki.isa.operators import operator
from jnki.tiles import scans
from jnki.tiles.tensor import Tensor


def bn_aggr(data: Tensor, *, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile `[P, 2]` with the mean and the variance of all elements that statistics stand for.

    Args:
        data: groups of count, mean and variance times count, as `bn_stats` makes them; a multiple of three elements.
        mask: over `data`; a group takes part where all three of its elements are enabled.
        dtype: element type of the result; that of `data` by default.

    Raises:
        RuleError: docs/isa/vector/bn_aggr.md has the rules.
    """
    return scans.bn_aggr(data, dtype=dtype, mask=mask)


def bn_stats(data: Tensor, *, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile `[P, 6]`: count, mean, variance times count of the even elements, and of the odd ones.

    Args:
        data: `[P, F...]` in SBUF or PSUM, at most `nl.tile_size.bn_stats_fmax` elements per partition.
        mask: over `data`; a masked-off element is left out.
        dtype: element type of the result; that of `data` by default.

    Raises:
        RuleError: docs/isa/vector/bn_stats.md has the rules.
    """
    return scans.bn_stats(data, dtype=dtype, mask=mask)


def tensor_tensor_scan(
    data0: Tensor,
    data1: Tensor,
    initial: Any,
    op0: Any,
    op1: Any,
    reverse0: bool = False,
    reverse1: bool = False,
    *,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """A new SBUF tile with the states of `h = (data0 <op0> h) <op1> data1`, element after element in each partition.

    Args:
        data0, data1: `[P, F...]`, equal partitions and elements per partition; not both in PSUM.
        initial: the state before the first element: a number, or a tile `[P, 1]`.
        op0, op1: binary arithmetic operators, such as `nl.multiply` and `nl.add`.
        reverse0: whether `data0` stands on the right of `op0`.
        reverse1: whether `data1` stands on the left of `op1`.
        dtype: element type of the result; by default the two types promoted.
        mask: which elements to pass over and leave unwritten.

    Raises:
        RuleError: docs/isa/vector/tensor_tensor_scan.md has the rules.
    """
    return scans.tensor_tensor_scan(
        data0,
        data1,
        initial,
        operator(op0, "tensor_tensor_scan", "op0").name,
        operator(op1, "tensor_tensor_scan", "op1").name,
        reverse0,
        reverse1,
        dtype=dtype,
        mask=mask,
    )
