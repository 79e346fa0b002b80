"""Instructions of the Scalar Engine: `activation`, `activation_reduce`."""

from typing import Any

from jnki.isa.operands import as_column
from jnki.isa.operators import operator
from jnki.isa.scalar.activate2 import Activate2, function_name, pair_operator
from jnki.isa.scalar.activation import Activation
from jnki.isa.scalar.activation_reduce import ActivationReduce
from jnki.isa.scalar.activations import activation_function
from jnki.nki.isa.enums import core_member, reduce_cmd
from jnki.nki.isa.instruction import NkiInstruction, operand, recorded
from jnki.nki.isa.on_vector import column_or_number
from jnki.nki.isa.rules import check_partitions
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.elementwise import accumulator

_ReduceCmd = reduce_cmd


def activation(
    dst: Any,
    op: Any,
    data: Any,
    bias: Any = None,
    scale: Any = 1.0,
    reduce_op: Any = None,
    reduce_res: Any = None,
    reduce_cmd: reduce_cmd = reduce_cmd.idle,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `op(data * scale + bias)`, computed in float32.

    Args:
        dst, data: `[P, F...]` with the same partitions and equally many elements in each.
        op: an activation function, such as `nl.exp`.
        bias: `[P, 1]`, or on NeuronCore-v3 and newer a number.
        scale: a number, or float32 `[P, 1]`.
        reduce_op: `nl.add`, which sums the results along the free axes into the accumulator registers.
        reduce_res: `[P, 1]`, which the registers are read out to.
        reduce_cmd: what happens to the registers.
    """
    return _activation(Activation, dst, op, data, bias, scale, reduce_op, reduce_res, reduce_cmd, name)


def activation_reduce(
    dst: Any,
    op: Any,
    data: Any,
    reduce_op: Any,
    reduce_res: Any,
    bias: Any = None,
    scale: Any = 1.0,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `op(data * scale + bias)`, and its sum along the free axes to `reduce_res`.

    Args:
        reduce_op: `nl.add`.
        reduce_res: `[P, 1]`, or None where the registers keep the sum.
        dst, op, data, bias, scale: see `activation`.
    """
    command = _ReduceCmd.reset_reduce
    kind = ActivationReduce if reduce_res is not None else Activation
    return _activation(kind, dst, op, data, bias, scale, reduce_op, reduce_res, command, name)


def _activation(
    kind: type[Activation],
    dst: Any,
    op: Any,
    data: Any,
    bias: Any,
    scale: Any,
    reduce_op: Any,
    reduce_res: Any,
    command: Any,
    name: str | None,
) -> NkiInstruction:
    function = kind.name
    recorder = current(f"nisa.{function}")
    to, source = operand(dst, function, "dst"), operand(data, function, "data")
    check_partitions(function, dst=to, data=source)
    rank = len(source.dims)
    result = None if reduce_res is None else as_column(operand(reduce_res, function, "reduce_res"), rank)
    does = core_member(command, _ReduceCmd, function, "reduce_cmd")
    uses_registers = does.name != "idle" or result is not None
    instruction = kind(
        dst=to,
        data=source,
        op=activation_function(op, function).name,
        bias=None if bias is None else column_or_number(bias, rank, function),
        scale=column_or_number(scale, rank, function),
        reduce_op=None if reduce_op is None else operator(reduce_op, function, "reduce_op").name,
        reduce_cmd=does,
        reduce_res=result,
        accumulator=accumulator(recorder, source, "activation_accumulator") if uses_registers else None,
        location=user_location(),
    )
    return recorded(instruction, name)


def activate2(
    dst: Any,
    op: Any,
    data: Any,
    imm0: Any,
    imm1: Any,
    op0: Any,
    op1: Any,
    relu_param: Any = 0.0,
    reverse0: bool = False,
    reverse1: bool = False,
    reduce_op: Any = None,
    reduce_res: Any = None,
    reduce_cmd: reduce_cmd = reduce_cmd.idle,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `op((data <op0> imm0) <op1> imm1)`, on NeuronCore-v4 and newer.

    Args:
        dst, data: `[P, F...]` with the same partitions and equally many elements in each.
        op: an activation function, or `nl.prelu`.
        imm0, imm1: numbers, or `[P, 1]`.
        op0, op1: operators, or `nl.bypass`.
        relu_param: the slope of `nl.prelu` below zero.
        reverse0, reverse1: whether the number stands on the left.
        reduce_op: what reduces the results along the free axes into the accumulator registers.
        reduce_res: `[P, 1]`, which the registers are read out to.
        reduce_cmd: what happens to the registers.

    Raises:
        RuleError: docs/isa/scalar/activate2.md has the rules.
    """
    function = "activate2"
    recorder = current(f"nisa.{function}")
    to, source = operand(dst, function, "dst"), operand(data, function, "data")
    check_partitions(function, dst=to, data=source)
    rank = len(source.dims)
    first, second, slope = (column_or_number(value, rank, function) for value in (imm0, imm1, relu_param))
    result = None if reduce_res is None else as_column(operand(reduce_res, function, "reduce_res"), rank)
    does = core_member(reduce_cmd, _ReduceCmd, function, "reduce_cmd")
    uses_registers = does.name != "idle" or result is not None
    instruction = Activate2(
        dst=to,
        data=source,
        op=function_name(op),
        imm0=first,
        imm1=second,
        op0=pair_operator(op0, "op0"),
        op1=pair_operator(op1, "op1"),
        relu_param=slope,
        reverse0=bool(reverse0),
        reverse1=bool(reverse1),
        reduce_op=None if reduce_op is None else operator(reduce_op, function, "reduce_op").name,
        reduce_cmd=does,
        reduce_res=result,
        accumulator=accumulator(recorder, source, "activation_accumulator") if uses_registers else None,
        location=user_location(),
    )
    return recorded(instruction, name)
