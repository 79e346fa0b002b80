"""Instructions whose results go through the Vector Engine's accumulator registers, beside the selections."""

from typing import Any

from jnki.access.access import Access
from jnki.isa.operands import as_column
from jnki.isa.operators import operator
from jnki.isa.vector.exponential import Exponential
from jnki.isa.vector.quantize_mx import QuantizeMx
from jnki.isa.vector.tensor_scalar_cumulative import TensorScalarCumulative
from jnki.isa.vector.tensor_scalar_reduce import TensorScalarReduce
from jnki.nki.isa.enums import core_member, reduce_cmd
from jnki.nki.isa.instruction import NkiInstruction, operand, recorded
from jnki.nki.isa.on_vector import column_or_number
from jnki.nki.isa.rules import check_partitions
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.elementwise import accumulator

_ReduceCmd = reduce_cmd
_REGISTERS = "vector_accumulator"


def tensor_scalar_reduce(
    dst: Any,
    data: Any,
    op0: Any,
    operand0: Any,
    reduce_op: Any,
    reduce_res: Any = None,
    reverse0: bool = False,
    reduce_cmd: reduce_cmd = reduce_cmd.reset_reduce,
    reduce_init: Any = None,
    reduce_res_negate: bool = False,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `data <op0> operand0`, and reduces the results along all free axes into the registers.

    Args:
        dst, data: `[P, F...]` with the same partitions and equally many elements in each.
        op0: an arithmetic operator.
        operand0: a number, or float32 `[P, 1]`.
        reduce_op: add, multiply, maximum or minimum.
        reduce_res: `[P, 1]`, which the registers are read out to.
        reverse0: False; hardware does not support True.
        reduce_cmd: what happens to the registers.
        reduce_init: what `load_reduce` starts from, a number, or float32 `[P, 1]`.
        reduce_res_negate: whether `reduce_res` takes the opposite sign.

    Raises:
        NotImplementedError: `reverse0`.
        RuleError: docs/isa/vector/tensor_scalar_reduce.md has the rules.
    """
    function = "tensor_scalar_reduce"
    if reverse0:
        raise NotImplementedError("jnki does not model nisa.tensor_scalar_reduce with reverse0, as the documents say")
    to, source = operand(dst, function, "dst"), operand(data, function, "data")
    check_partitions(function, dst=to, data=source)
    rank = len(source.dims)
    first = operator(op0, function, "op0")
    value = None if operand0 is None and first.arity == 1 else column_or_number(operand0, rank, function)
    instruction = TensorScalarReduce(
        dst=to,
        data=source,
        op0=first.name,
        operand0=value,
        reduce_op=operator(reduce_op, function, "reduce_op").name,
        reduce_cmd=core_member(reduce_cmd, _ReduceCmd, function, "reduce_cmd"),
        reduce_init=None if reduce_init is None else column_or_number(reduce_init, rank, function),
        reduce_res=_result(reduce_res, rank, function),
        reduce_res_negate=bool(reduce_res_negate),
        accumulator=accumulator(current(f"nisa.{function}"), source, _REGISTERS),
        location=user_location(),
    )
    return recorded(instruction, name)


def tensor_scalar_cumulative(
    dst: Any,
    src: Any,
    op0: Any,
    op1: Any,
    imm0: Any,
    imm1: Any = None,
    reduce_cmd: reduce_cmd = reduce_cmd.reset_reduce,
    name: str | None = None,
) -> NkiInstruction:
    """Writes a running reduction: `r = (src <op0> imm0) <op1> r; dst = r` along the free axes.

    Args:
        dst, src: `[P, F...]` with the same partitions and equally many elements in each.
        op0: an arithmetic operator.
        op1: add, subtract, multiply, maximum or minimum.
        imm0: a number, or float32 `[P, 1]`.
        imm1: such a number or tile, what `load_reduce` starts from.
        reduce_cmd: what the registers start from.

    Raises:
        RuleError: docs/isa/vector/tensor_scalar_cumulative.md has the rules.
    """
    function = "tensor_scalar_cumulative"
    to, source = operand(dst, function, "dst"), operand(src, function, "src")
    check_partitions(function, dst=to, src=source)
    rank = len(source.dims)
    first = operator(op0, function, "op0")
    value = None if imm0 is None and first.arity == 1 else column_or_number(imm0, rank, function)
    instruction = TensorScalarCumulative(
        dst=to,
        src=source,
        op0=first.name,
        op1=operator(op1, function, "op1").name,
        imm0=value,
        imm1=None if imm1 is None else column_or_number(imm1, rank, function),
        reduce_cmd=core_member(reduce_cmd, _ReduceCmd, function, "reduce_cmd"),
        accumulator=accumulator(current(f"nisa.{function}"), source, _REGISTERS),
        location=user_location(),
    )
    return recorded(instruction, name)


def exponential(
    dst: Any,
    src: Any,
    max_value: Any = 0.0,
    reduce_res: Any = None,
    reduce_cmd: reduce_cmd = reduce_cmd.idle,
    reduce_init: Any = 0.0,
    name: str | None = None,
) -> NkiInstruction:
    """Writes `exp(src - max_value)`, and sums the results in the registers, on NeuronCore-v4 and newer.

    Args:
        dst, src: `[P, F...]` with the same partitions and equally many elements in each.
        max_value: a number, or float32 `[P, 1]`.
        reduce_res: `[P, 1]`, which the registers are read out to.
        reduce_cmd: what happens to the registers.
        reduce_init: what `load_reduce` starts from, a number, or float32 `[P, 1]`.

    Raises:
        RuleError: docs/isa/vector/exponential.md has the rules.
    """
    function = "exponential"
    to, source = operand(dst, function, "dst"), operand(src, function, "src")
    check_partitions(function, dst=to, src=source)
    rank = len(source.dims)
    instruction = Exponential(
        dst=to,
        src=source,
        max_value=column_or_number(max_value, rank, function),
        reduce_cmd=core_member(reduce_cmd, _ReduceCmd, function, "reduce_cmd"),
        reduce_init=column_or_number(reduce_init, rank, function),
        reduce_res=_result(reduce_res, rank, function),
        accumulator=accumulator(current(f"nisa.{function}"), source, _REGISTERS),
        location=user_location(),
    )
    return recorded(instruction, name)


def quantize_mx(dst: Any, src: Any, dst_scale: Any, name: str | None = None) -> NkiInstruction:
    """Writes `src` in an MX format: four elements as one, and a scale for each group of 8 partitions and 4 neighbours.

    Args:
        dst: `[P, F / 4]` in SBUF, of an x4 type of float8.
        src: `[P, F]` in SBUF, float16 or bfloat16.
        dst_scale: the scales, uint8 or float8_e8m0fnu.

    Raises:
        RuleError: docs/isa/vector/quantize_mx.md has the rules.
    """
    function = "quantize_mx"
    to, source, scale = (
        operand(tensor, function, argument)
        for tensor, argument in ((dst, "dst"), (src, "src"), (dst_scale, "dst_scale"))
    )
    check_partitions(function, dst=to, src=source, dst_scale=scale)
    return recorded(QuantizeMx(dst=to, src=source, dst_scale=scale, location=user_location()), name)


def _result(reduce_res: Any, rank: int, function: str) -> Access | None:
    return None if reduce_res is None else as_column(operand(reduce_res, function, "reduce_res"), rank)
