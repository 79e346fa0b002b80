"""Recording Vector Engine instructions as they are: no broadcasting, no copies, no axes but the last."""

from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.enums import engine as Engine
from jnki.isa.operands import as_column
from jnki.isa.promotion import promote
from jnki.isa.vector.scalar_tensor_tensor import ScalarTensorTensor
from jnki.isa.vector.tensor_reduce import TensorReduce
from jnki.isa.vector.tensor_scalar import TensorScalar
from jnki.isa.vector.tensor_scalar_reduce import TensorScalarReduce
from jnki.isa.vector.tensor_tensor import TensorTensor
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles.compute import filled, free_axes, permuted, permuted_mask
from jnki.tiles.tensor import Tensor, as_tensor
from jnki.tiles.views import broadcast_access

_MOST_AXES = 4


def tensor_reduce(
    op: str,
    data: Any,
    axis: int | Sequence[int],
    *,
    dtype: Any = None,
    mask: Any = None,
    negate: bool = False,
    keepdims: bool = False,
) -> Tensor:
    """A new tile with `data` reduced along free axes by the operator named `op`.

    Raises:
        RuleError: `tensor_reduce.axis`, where `axis` names the partition axis or too many others.
    """
    recorder = current("nisa.tensor_reduce")
    source = as_tensor(data, "tensor_reduce", "data").access
    axes = free_axes(source, axis, "tensor_reduce")
    rank = len(source.dims)
    if len(axes) > _MOST_AXES:
        raise RuleError(
            "tensor_reduce.axis",
            f"tensor_reduce works along {_MOST_AXES} free axes at most",
            given=f"axis {axis} of {list(source.shape)}",
            allowed=f"up to {_MOST_AXES} axes",
        )
    order = (*(d for d in range(rank) if d not in axes), *axes)
    moved, predicate = permuted(source, order), permuted_mask(as_mask(mask), order)
    kept = tuple(1 if d in axes else n for d, n in enumerate(source.shape) if keepdims or d not in axes)
    shape = kept if len(kept) > 1 else (*kept, 1)
    return filled(
        recorder,
        shape,
        dtype,
        source.dtype,
        lambda dst: TensorReduce(
            dst=dst,
            data=moved,
            op=op,
            axes=len(axes),
            negate=bool(negate),
            mask=predicate,
            location=user_location(),
        ),
    )


def tensor_scalar(
    data: Any,
    op0: str,
    operand0: Any,
    reverse0: bool,
    op1: str | None,
    operand1: Any,
    reverse1: bool,
    *,
    dtype: Any = None,
    mask: Any = None,
    engine: Engine = Engine.unknown,
) -> Tensor:
    """A new tile with `(data <op0> operand0) <op1> operand1`; operators by name, operands numbers or `[P, 1]` tiles."""
    recorder = current("nisa.tensor_scalar")
    source = as_tensor(data, "tensor_scalar", "data").access
    first, second = (_operand(operand, len(source.dims), "tensor_scalar") for operand in (operand0, operand1))
    predicate = as_mask(mask)
    return filled(
        recorder,
        source.shape,
        dtype,
        source.dtype,
        lambda dst: TensorScalar(
            dst=dst,
            data=source,
            op0=op0,
            operand0=first,
            reverse0=bool(reverse0),
            op1=op1,
            operand1=second,
            reverse1=bool(reverse1),
            engine=engine,
            mask=predicate,
            location=user_location(),
        ),
    )


def tensor_tensor(
    data1: Any, data2: Any, op: str, *, dtype: Any = None, mask: Any = None, engine: Engine = Engine.unknown
) -> Tensor:
    """A new tile with `data1 <op> data2`, in the promoted type unless `dtype` says; free axes of size 1 repeat."""
    recorder = current("nisa.tensor_tensor")
    first = as_tensor(data1, "tensor_tensor", "data1").access
    second = as_tensor(data2, "tensor_tensor", "data2").access
    first, second = _along_free_axes(first, second)
    predicate = as_mask(mask)
    return filled(
        recorder,
        first.shape,
        dtype,
        promote(first.dtype, second.dtype),
        lambda dst: TensorTensor(
            dst=dst, data1=first, data2=second, op=op, engine=engine, mask=predicate, location=user_location()
        ),
    )


def scalar_tensor_tensor(
    data: Any,
    op0: str,
    operand0: Any,
    op1: str,
    operand1: Any,
    reverse0: bool,
    reverse1: bool,
    *,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """A new tile with `(data <op0> operand0) <op1> operand1`, where `operand0` is a number or a `[P, 1]` tile."""
    recorder = current("nisa.scalar_tensor_tensor")
    source = as_tensor(data, "scalar_tensor_tensor", "data").access
    second = as_tensor(operand1, "scalar_tensor_tensor", "operand1").access
    first = _operand(operand0, len(source.dims), "scalar_tensor_tensor")
    predicate = as_mask(mask)
    return filled(
        recorder,
        source.shape,
        dtype,
        source.dtype,
        lambda dst: ScalarTensorTensor(
            dst=dst,
            data=source,
            op0=op0,
            operand0=first,
            op1=op1,
            operand1=second,
            reverse0=bool(reverse0),
            reverse1=bool(reverse1),
            mask=predicate,
            location=user_location(),
        ),
    )


def tensor_scalar_reduce(
    data: Any, op0: str, operand0: Any, reduce_op: str, reduce_res: Any, *, dtype: Any = None, mask: Any = None
) -> Tensor:
    """A new tile with `data <op0> operand0`; its reduction along all free axes goes to `reduce_res`."""
    recorder = current("nisa.tensor_scalar_reduce")
    source = as_tensor(data, "tensor_scalar_reduce", "data").access
    rank = len(source.dims)
    number = _operand(operand0, rank, "tensor_scalar_reduce")
    result = as_column(as_tensor(reduce_res, "tensor_scalar_reduce", "reduce_res").access, rank)
    predicate = as_mask(mask)
    return filled(
        recorder,
        source.shape,
        dtype,
        source.dtype,
        lambda dst: TensorScalarReduce(
            dst=dst,
            data=source,
            op0=op0,
            operand0=number,
            reduce_op=reduce_op,
            reduce_res=result,
            mask=predicate,
            location=user_location(),
        ),
    )


def _along_free_axes(first: Access, second: Access) -> tuple[Access, Access]:
    """Both as views of one shape where a free axis of size 1 repeats; as they are where none does."""
    if first.shape[0] != second.shape[0] or first.size == second.size:
        return first, second
    # One number for each partition repeats along all free axes, however many there are.
    rank = max(len(first.shape), len(second.shape))
    x, y = (as_column(a, rank) if a.size == a.shape[0] else a for a in (first, second))
    if len(x.shape) != len(y.shape) or any(1 != n != m != 1 for n, m in zip(x.shape, y.shape)):
        return first, second
    shape = tuple(map(max, x.shape, y.shape))
    return broadcast_access(x, shape), broadcast_access(y, shape)


def _operand(value: Any, rank: int, instruction: str) -> Any:
    if isinstance(value, Tensor):
        return as_column(value.access, rank)
    return None if value is None else as_number(instruction, value)
