"""Arithmetic on the Vector Engine: `tensor_tensor`, `tensor_scalar`, `tensor_reduce` and their kin."""

from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.isa.constants import as_number
from jnki.isa.operands import as_column
from jnki.isa.operators import operator
from jnki.isa.vector.bn_aggr import BnAggr
from jnki.isa.vector.bn_stats import BnStats
from jnki.isa.vector.reciprocal import Reciprocal
from jnki.isa.vector.scalar_tensor_tensor import ScalarTensorTensor
from jnki.isa.vector.tensor_reduce import TensorReduce
from jnki.isa.vector.tensor_scalar import TensorScalar
from jnki.isa.vector.tensor_tensor import TensorTensor
from jnki.isa.vector.tensor_tensor_scan import TensorTensorScan
from jnki.nki.isa.enums import core_member, engine
from jnki.nki.isa.instruction import NkiInstruction, operand, recorded
from jnki.nki.isa.rules import check_partitions
from jnki.source import user_location
from jnki.tiles.compute import free_axes, permuted
from jnki.tiles.tensor import Tensor

_Engine = engine


def column_or_number(value: Any, rank: int, function: str) -> Access | float | int:
    """An operand that is a number, or a `[P, 1]` tile, which gets an axis for each axis of a tile of that rank."""
    return as_column(value.access, rank) if isinstance(value, Tensor) else as_number(function, value)


def tensor_tensor(
    dst: Any, data1: Any, data2: Any, op: Any, engine: engine = engine.unknown, name: str | None = None
) -> NkiInstruction:
    """Writes `data1 <op> data2`.

    Args:
        dst, data1, data2: `[P, F...]` with the same partitions and equally many elements in each; `data1` and `data2`
            are not both in PSUM.
        op: an operator of two operands, such as `nl.add`.
        engine: vector, gpsimd or unknown.
    """
    to, first, second = (
        operand(tensor, "tensor_tensor", argument)
        for tensor, argument in ((dst, "dst"), (data1, "data1"), (data2, "data2"))
    )
    check_partitions("tensor_tensor", dst=to, data1=first, data2=second)
    instruction = TensorTensor(
        dst=to,
        data1=first,
        data2=second,
        op=operator(op, "tensor_tensor").name,
        engine=core_member(engine, _Engine, "tensor_tensor", "engine"),
        location=user_location(),
    )
    return recorded(instruction, name)


def tensor_scalar(
    dst: Any,
    data: Any,
    op0: Any,
    operand0: Any,
    reverse0: bool = False,
    op1: Any = None,
    operand1: Any = None,
    reverse1: bool = False,
    engine: engine = engine.unknown,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `(data <op0> operand0) <op1> operand1`.

    Args:
        dst, data: `[P, F...]` with the same partitions and equally many elements in each.
        op0, op1: operators; `op1` may be left out.
        operand0, operand1: numbers, or float32 `[P, 1]`.
        reverse0, reverse1: whether the operand stands on the left.
        engine: vector, scalar, gpsimd or unknown.
    """
    to, source = operand(dst, "tensor_scalar", "dst"), operand(data, "tensor_scalar", "data")
    check_partitions("tensor_scalar", dst=to, data=source)
    rank = len(source.dims)
    first = operator(op0, "tensor_scalar", "op0")
    second = None if op1 is None else operator(op1, "tensor_scalar", "op1")
    instruction = TensorScalar(
        dst=to,
        data=source,
        op0=first.name,
        operand0=_given(operand0, first, rank),
        reverse0=bool(reverse0),
        op1=None if second is None else second.name,
        operand1=None if second is None else _given(operand1, second, rank),
        reverse1=bool(reverse1),
        engine=core_member(engine, _Engine, "tensor_scalar", "engine"),
        location=user_location(),
    )
    return recorded(instruction, name)


def _given(value: Any, op: Any, rank: int) -> Any:
    """The operand of an operator; one of a single operand takes none, or 0."""
    return 0.0 if value is None and op.arity == 1 else column_or_number(value, rank, "tensor_scalar")


def scalar_tensor_tensor(
    dst: Any,
    data: Any,
    op0: Any,
    operand0: Any,
    op1: Any,
    operand1: Any,
    reverse0: bool = False,
    reverse1: bool = False,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `(data <op0> operand0) <op1> operand1`, where `operand0` is a number or `[P, 1]`, and `operand1` a tile.

    Args:
        dst, data, operand1: `[P, F...]` with the same partitions and equally many elements in each.
        op0, op1: operators of two operands.
        reverse0, reverse1: whether the operand stands on the left.
    """
    to, source, tile = (
        operand(tensor, "scalar_tensor_tensor", argument)
        for tensor, argument in ((dst, "dst"), (data, "data"), (operand1, "operand1"))
    )
    check_partitions("scalar_tensor_tensor", dst=to, data=source, operand1=tile)
    instruction = ScalarTensorTensor(
        dst=to,
        data=source,
        op0=operator(op0, "scalar_tensor_tensor", "op0").name,
        operand0=column_or_number(operand0, len(source.dims), "scalar_tensor_tensor"),
        op1=operator(op1, "scalar_tensor_tensor", "op1").name,
        operand1=tile,
        reverse0=bool(reverse0),
        reverse1=bool(reverse1),
        location=user_location(),
    )
    return recorded(instruction, name)


def tensor_reduce(
    dst: Any,
    op: Any,
    data: Any,
    axis: int | Sequence[int],
    negate: bool = False,
    keepdims: bool = False,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `data` reduced along its last free axes.

    Args:
        dst: `[P, ...]`, one element for each reduction.
        op: an operator that reduces, such as `nl.add`.
        data: `[P, F...]`.
        axis: the last free axes, by their numbers.
        negate: whether the result is multiplied by -1.
        keepdims: whether `dst` has axes of size 1 for those that are reduced; how many it has does not matter.
    """
    to, source = operand(dst, "tensor_reduce", "dst"), operand(data, "tensor_reduce", "data")
    check_partitions("tensor_reduce", dst=to, data=source)
    axes = free_axes(source, axis, "tensor_reduce")
    order = (*(d for d in range(len(source.dims)) if d not in axes), *axes)
    instruction = TensorReduce(
        dst=to,
        data=permuted(source, order),
        op=operator(op, "tensor_reduce").name,
        axes=len(axes),
        negate=bool(negate),
        location=user_location(),
    )
    return recorded(instruction, name)


def reciprocal(dst: Any, data: Any, name: str | None = None) -> NkiInstruction:
    """Writes one over each element of `data`."""
    to, source = operand(dst, "reciprocal", "dst"), operand(data, "reciprocal", "data")
    check_partitions("reciprocal", dst=to, data=source)
    return recorded(Reciprocal(dst=to, data=source, location=user_location()), name)


def bn_stats(dst: Any, data: Any, name: str | None = None) -> NkiInstruction:
    """Writes the statistics of the even and of the odd elements of each partition: count, mean, variance times count.

    Args:
        dst: `[P, 6]`.
        data: `[P, F...]`, at most 512 elements in each partition.
    """
    to, source = operand(dst, "bn_stats", "dst"), operand(data, "bn_stats", "data")
    check_partitions("bn_stats", dst=to, data=source)
    return recorded(BnStats(dst=to, data=source, location=user_location()), name)


def bn_aggr(dst: Any, data: Any, name: str | None = None) -> NkiInstruction:
    """Writes the mean and the variance that the statistics of `bn_stats` stand for.

    Args:
        dst: `[P, 2]`.
        data: `[P, 3 * n]`.
    """
    to, source = operand(dst, "bn_aggr", "dst"), operand(data, "bn_aggr", "data")
    check_partitions("bn_aggr", dst=to, data=source)
    return recorded(BnAggr(dst=to, data=source, location=user_location()), name)


def tensor_tensor_scan(
    dst: Any,
    data0: Any,
    data1: Any,
    initial: Any,
    op0: Any,
    op1: Any,
    reverse0: bool = False,
    reverse1: bool = False,
    name: str | None = None,
) -> NkiInstruction:
    """Writes the states of `h = (data0 <op0> h) <op1> data1` along the free axes.

    Args:
        dst, data0, data1: `[P, F]` of one shape.
        initial: the state before the first one: a number, or `[P, 1]`.
        op0, op1: operators of two operands.
        reverse0, reverse1: whether operands are swapped.
    """
    to, first, second = (
        operand(tensor, "tensor_tensor_scan", argument)
        for tensor, argument in ((dst, "dst"), (data0, "data0"), (data1, "data1"))
    )
    check_partitions("tensor_tensor_scan", dst=to, data0=first, data1=second)
    instruction = TensorTensorScan(
        dst=to,
        data0=first,
        data1=second,
        initial=column_or_number(initial, len(first.dims), "tensor_tensor_scan"),
        op0=operator(op0, "tensor_tensor_scan", "op0").name,
        op1=operator(op1, "tensor_tensor_scan", "op1").name,
        reverse0=bool(reverse0),
        reverse1=bool(reverse1),
        location=user_location(),
    )
    return recorded(instruction, name)
