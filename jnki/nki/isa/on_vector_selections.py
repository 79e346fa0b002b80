"""Selections on the Vector Engine: `select_reduce`, `range_select`, `tensor_copy_predicated`, eights, shuffles."""

from collections.abc import Sequence
from typing import Any

from jnki.isa.constants import as_number
from jnki.isa.operands import as_column
from jnki.isa.operators import operator
from jnki.isa.vector.max8 import Max8
from jnki.isa.vector.nc_find_index8 import NcFindIndex8
from jnki.isa.vector.nc_match_replace8 import NcMatchReplace8
from jnki.isa.vector.nc_stream_shuffle import NcStreamShuffle, as_shuffle_mask
from jnki.isa.vector.range_select import RangeSelect, as_float32, as_start
from jnki.isa.vector.select_reduce import SelectReduce
from jnki.isa.vector.tensor_copy_predicated import TensorCopyPredicated
from jnki.nki.isa.enums import core_member, reduce_cmd
from jnki.nki.isa.instruction import NkiInstruction, operand, recorded
from jnki.nki.isa.on_vector import column_or_number
from jnki.nki.isa.rules import check_partitions
from jnki.nki.language.binary import maximum
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.elementwise import accumulator
from jnki.tiles.tensor import Tensor

_ReduceCmd = reduce_cmd
_REGISTERS = "vector_accumulator"
FP32_MIN = -3.4028234663852886e38


def tensor_copy_predicated(
    dst: Any, src: Any, predicate: Any, reverse_pred: bool = False, name: str | None = None
) -> NkiInstruction:
    """Copies `src` to `dst` where `predicate` is not zero; the rest of `dst` stays as it was.

    Args:
        dst: `[P, F...]` in SBUF or PSUM.
        src: a tile of the type of `dst`, or a number.
        predicate: a tile of uint8, uint16 or uint32; not in PSUM where `src` is.
        reverse_pred: whether it copies where `predicate` is zero.
    """
    function = "tensor_copy_predicated"
    to, where = operand(dst, function, "dst"), operand(predicate, function, "predicate")
    source = src.access if isinstance(src, Tensor) else as_number(function, src)
    check_partitions(function, dst=to, predicate=where)
    instruction = TensorCopyPredicated(
        dst=to, src=source, predicate=where, reverse_pred=bool(reverse_pred), location=user_location()
    )
    return recorded(instruction, name)


def select_reduce(
    dst: Any,
    predicate: Any,
    on_true: Any,
    on_false: Any,
    reduce_res: Any = None,
    reduce_cmd: reduce_cmd = reduce_cmd.idle,
    reduce_op: Any = maximum,
    reverse_pred: bool = False,
    name: str | None = None,
) -> NkiInstruction:
    """Writes elements of `on_true` where `predicate` is not zero, else of `on_false`; the largest may go to registers.

    Args:
        dst, predicate, on_true: `[P, F...]` with the same partitions and equally many elements in each.
        on_false: a number, or `[P, 1]`.
        reduce_res: `[P, 1]`, which the registers are read out to.
        reduce_cmd: what happens to the registers.
        reduce_op: `nl.maximum`.
        reverse_pred: whether the predicate is taken the other way round.
    """
    function = "select_reduce"
    recorder = current(f"nisa.{function}")
    to, where, source = (
        operand(tensor, function, argument)
        for tensor, argument in ((dst, "dst"), (predicate, "predicate"), (on_true, "on_true"))
    )
    check_partitions(function, dst=to, predicate=where, on_true=source)
    rank = len(source.dims)
    instruction = SelectReduce(
        dst=to,
        predicate=where,
        on_true=source,
        on_false=column_or_number(on_false, rank, function),
        reverse_pred=bool(reverse_pred),
        reduce_op=operator(reduce_op, function, "reduce_op").name,
        reduce_cmd=core_member(reduce_cmd, _ReduceCmd, function, "reduce_cmd"),
        reduce_res=None if reduce_res is None else as_column(operand(reduce_res, function, "reduce_res"), rank),
        accumulator=accumulator(recorder, source, _REGISTERS),
        location=user_location(),
    )
    return recorded(instruction, name)


def range_select(
    dst: Any,
    on_true_tile: Any,
    comp_op0: Any,
    comp_op1: Any,
    bound0: Any,
    bound1: Any,
    reduce_cmd: reduce_cmd = reduce_cmd.reset_reduce,
    reduce_res: Any = None,
    reduce_op: Any = maximum,
    range_start: Any = 0,
    on_false_value: float = FP32_MIN,
    name: str | None = None,
) -> NkiInstruction:
    """Writes the elements whose index passes two comparisons with bounds, and the lowest float32 elsewhere.

    Args:
        dst, on_true_tile: `[P, F...]` with the same partitions and equally many elements in each.
        comp_op0, comp_op1: comparisons, such as `nl.greater_equal`.
        bound0, bound1: float32 `[P, 1]`.
        reduce_cmd: what happens to the registers.
        reduce_res: `[P, 1]`, which the registers are read out to.
        reduce_op: `nl.maximum`.
        range_start: the index of the first element.
        on_false_value: the lowest float32.
    """
    function = "range_select"
    recorder = current(f"nisa.{function}")
    to, source = operand(dst, function, "dst"), operand(on_true_tile, function, "on_true_tile")
    check_partitions(function, dst=to, on_true_tile=source)
    rank = len(source.dims)
    first, second = (
        as_column(operand(bound, function, argument), rank)
        for bound, argument in ((bound0, "bound0"), (bound1, "bound1"))
    )
    command = core_member(reduce_cmd, _ReduceCmd, function, "reduce_cmd")
    instruction = RangeSelect(
        dst=to,
        on_true=source,
        comp_op0=operator(comp_op0, function, "comp_op0").name,
        comp_op1=operator(comp_op1, function, "comp_op1").name,
        bound0=first,
        bound1=second,
        range_start=as_start(range_start),
        on_false_value=as_float32(on_false_value),
        reduce_op=operator(reduce_op, function, "reduce_op").name,
        reduce_cmd=command,
        reduce_res=None if reduce_res is None else as_column(operand(reduce_res, function, "reduce_res"), rank),
        accumulator=None if command.name == "idle" else accumulator(recorder, source, _REGISTERS),
        location=user_location(),
    )
    return recorded(instruction, name)


def max8(dst: Any, src: Any, name: str | None = None) -> NkiInstruction:
    """Writes the eight largest elements of each partition, in descending order.

    Args:
        dst: `[P, 8]`.
        src: `[P, F...]`, 8 to 16384 elements in each partition.
    """
    to, source = operand(dst, "max8", "dst"), operand(src, "max8", "src")
    check_partitions("max8", dst=to, src=source)
    return recorded(Max8(dst=to, src=source, location=user_location()), name)


def nc_find_index8(dst: Any, data: Any, vals: Any, name: str | None = None) -> NkiInstruction:
    """Writes the place of the first element that equals each of eight values; all ones where there is none.

    Args:
        dst: `[P, 8]` of uint32 or uint16.
        data: `[P, F...]`, 8 to 16384 elements in each partition.
        vals: `[P, 8]`. A value that occurs again takes the next place.
    """
    function = "nc_find_index8"
    to, source, values = (
        operand(tensor, function, argument) for tensor, argument in ((dst, "dst"), (data, "data"), (vals, "vals"))
    )
    check_partitions(function, dst=to, data=source, vals=values)
    return recorded(NcFindIndex8(dst=to, data=source, vals=values, location=user_location()), name)


def nc_match_replace8(
    dst: Any, data: Any, vals: Any, imm: float, dst_idx: Any = None, name: str | None = None
) -> NkiInstruction:
    """Writes `data` with one element for each of eight values replaced by `imm`; their places may go to `dst_idx`.

    Args:
        dst, data: `[P, F...]`, 8 to 16384 elements in each partition.
        vals: `[P, 8]`.
        imm: a number.
        dst_idx: `[P, 8]` of uint32 or uint16.
    """
    function = "nc_match_replace8"
    to, source, values = (
        operand(tensor, function, argument) for tensor, argument in ((dst, "dst"), (data, "data"), (vals, "vals"))
    )
    check_partitions(function, dst=to, data=source, vals=values)
    instruction = NcMatchReplace8(
        dst=to,
        data=source,
        vals=values,
        imm=float(as_number(function, imm)),
        dst_idx=None if dst_idx is None else operand(dst_idx, function, "dst_idx"),
        location=user_location(),
    )
    return recorded(instruction, name)


def nc_stream_shuffle(dst: Any, src: Any, shuffle_mask: Sequence[int], name: str | None = None) -> NkiInstruction:
    """Copies partitions within each group of 32 to others of it.

    Args:
        dst, src: `[P, F...]`.
        shuffle_mask: 32 numbers: which partition of the group each one takes; 255 leaves `dst` as it was.
    """
    to, source = operand(dst, "nc_stream_shuffle", "dst"), operand(src, "nc_stream_shuffle", "src")
    check_partitions("nc_stream_shuffle", dst=to, src=source)
    instruction = NcStreamShuffle(
        dst=to, src=source, shuffle_mask=as_shuffle_mask(shuffle_mask), location=user_location()
    )
    return recorded(instruction, name)
