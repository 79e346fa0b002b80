"""Instructions of the Scalar Engine: `activation`, `activation_reduce`."""

from typing import Any

from jnki.access.access import Access
from jnki.errors import RuleError
from jnki.isa.operands import as_column
from jnki.isa.operators import operator
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
from jnki.tiles.tensor import Tensor

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
        bias=_bias(bias, rank, function),
        scale=column_or_number(scale, rank, function),
        reduce_op=None if reduce_op is None else operator(reduce_op, function, "reduce_op").name,
        reduce_cmd=does,
        reduce_res=result,
        accumulator=accumulator(recorder, source, "activation_accumulator") if uses_registers else None,
        location=user_location(),
    )
    return recorded(instruction, name)


def _bias(bias: Any, rank: int, function: str) -> Access | None:
    if bias is None or isinstance(bias, Tensor):
        return None if bias is None else as_column(bias.access, rank)
    if isinstance(bias, (int, float)) and bias == 0:
        return None
    raise RuleError(
        "err_activation_bias_invalid_type",
        f"{function}: a bias that is a number other than 0 is not modelled",
        given=repr(bias)[:80],
        allowed="a [P, 1] tile",
    )
