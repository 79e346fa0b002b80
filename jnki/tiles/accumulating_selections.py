"""Recording selections whose largest element stays in the Vector Engine's accumulator registers."""

from typing import Any

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.dtypes import element_type
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.operands import as_column
from jnki.isa.vector.range_select import RangeSelect, as_float32, as_start
from jnki.isa.vector.select_reduce import SelectReduce
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.compute import filled, made
from jnki.tiles.elementwise import accumulator
from jnki.tiles.tensor import Tensor, as_tensor

_REGISTERS = "vector_accumulator"


def select_reduce(
    dst: Any,
    predicate: Any,
    on_true: Any,
    on_false: Any,
    *,
    reduce_res: Any,
    reduce_cmd: ReduceCmd,
    reduce_op: str,
    reverse_pred: bool,
    mask: Any = None,
    dtype: Any = None,
) -> None:
    """Elements of `on_true` where `predicate` is not zero, else of `on_false`, in `dst`; their largest in registers.

    Raises:
        RuleError: `select_reduce.dtype`, where `dtype` is not the type of `dst`.
    """
    recorder = current("nisa.select_reduce")
    to, when, source = (
        as_tensor(tensor, "select_reduce", name).access
        for tensor, name in ((dst, "dst"), (predicate, "predicate"), (on_true, "on_true"))
    )
    if dtype is not None and element_type(dtype) != to.dtype:
        raise RuleError(
            "select_reduce.dtype",
            "select_reduce: the result has the type of 'dst'",
            given=f"dtype {element_type(dtype)}, dst {to.dtype}",
            allowed=f"None, or {to.dtype}",
        )
    rank = len(source.dims)
    instruction = SelectReduce(
        dst=to,
        predicate=when,
        on_true=source,
        on_false=as_column(on_false.access, rank)
        if isinstance(on_false, Tensor)
        else float(as_number("select_reduce", on_false)),
        reverse_pred=bool(reverse_pred),
        reduce_op=reduce_op,
        reduce_cmd=reduce_cmd,
        reduce_res=_result(reduce_res, rank, "select_reduce"),
        accumulator=accumulator(recorder, source, _REGISTERS),
        mask=as_mask(mask),
        location=user_location(),
    )
    recorder.emit(made(recorder, instruction))


def range_select(
    on_true: Any,
    comp_op0: str,
    comp_op1: str,
    bound0: Any,
    bound1: Any,
    *,
    reduce_cmd: ReduceCmd,
    reduce_res: Any,
    reduce_op: str,
    range_start: Any,
    on_false_value: Any,
    mask: Any = None,
    dtype: Any = None,
) -> Tensor:
    """A new tile with the elements whose index lies between two bounds; their largest in registers."""
    recorder = current("nisa.range_select")
    source = as_tensor(on_true, "range_select", "on_true_tile").access
    rank = len(source.dims)
    first, second = (
        as_column(as_tensor(bound, "range_select", name).access, rank)
        for bound, name in ((bound0, "bound0"), (bound1, "bound1"))
    )
    result, predicate = _result(reduce_res, rank, "range_select"), as_mask(mask)
    registers = None if reduce_cmd == ReduceCmd.idle else accumulator(recorder, source, _REGISTERS)
    start, lowest = as_start(range_start), as_float32(on_false_value)
    return filled(
        recorder,
        source.shape,
        dtype,
        source.dtype,
        lambda dst: RangeSelect(
            dst=dst,
            on_true=source,
            comp_op0=comp_op0,
            comp_op1=comp_op1,
            bound0=first,
            bound1=second,
            range_start=start,
            on_false_value=lowest,
            reduce_op=reduce_op,
            reduce_cmd=reduce_cmd,
            reduce_res=result,
            accumulator=registers,
            mask=predicate,
            location=user_location(),
        ),
    )


def _result(reduce_res: Any, rank: int, instruction: str) -> Access | None:
    return None if reduce_res is None else as_column(as_tensor(reduce_res, instruction, "reduce_res").access, rank)
