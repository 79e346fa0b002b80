"""Recording computations on tiles: what the `nl` functions of a dialect and Python's operators share.

Each function picks the instruction, the shape and the element type of the result, and records one instruction (or a
few). Everything is checked by the instruction itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.buffer import Space
from jnki.access.mask import Comparison, Mask, as_mask
from jnki.dtypes import ElementType, element_type, float32
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operators import OPERATORS
from jnki.isa.promotion import of_scalar, promote
from jnki.isa.vector.tensor_reduce import TensorReduce
from jnki.isa.vector.tensor_scalar import TensorScalar
from jnki.isa.vector.tensor_tensor import TensorTensor
from jnki.record.recorder import Recorder, current
from jnki.source import called, user_location
from jnki.tiles.assign import copied_to_sbuf, written_part, zeroed
from jnki.tiles.fitting import together
from jnki.tiles.tensor import Tensor, as_tensor, new_tile
from jnki.tiles.views import broadcast_access


def made(recorder: Recorder, instruction: Instruction) -> Instruction:
    """The instruction, checked against the target."""
    instruction.check(recorder.target)
    return instruction


def filled(
    recorder: Recorder,
    shape: tuple[int, ...],
    dtype: Any,
    default: ElementType,
    instruction: Callable[[Access], Instruction],
) -> Tensor:
    """A new SBUF tile, of type `default` unless `dtype` says, and the checked instruction that fills it, recorded."""
    return new_tile(
        recorder,
        shape,
        default if dtype is None else element_type(dtype),
        lambda dst: made(recorder, instruction(dst)),
        dtype_is_explicit=dtype is not None,
    )


def binary(
    op: str,
    x: Any,
    y: Any,
    *,
    dtype: Any = None,
    mask: Any = None,
    result: ElementType | None = None,
    broadcast_partitions: bool = True,
) -> Tensor:
    """A new tile with `x <op> y`; tiles broadcast together, numbers stand for tiles of themselves.

    Args:
        op: name of a binary operator.
        x, y: tiles or numbers, at least one tile.
        dtype: element type of the result.
        mask: what to leave unwritten.
        result: the type where `dtype` is None; by default the two types promoted, and of a quotient float32 where
            neither is a float.
        broadcast_partitions: whether axis 0 broadcasts too (Python's operators do not do that).
    """
    recorder = current(f"nl.{op}")
    for operand in (x, y):
        if not isinstance(operand, Tensor) and np.ndim(operand) != 0:
            raise RuleError(
                f"{op}.operands",
                f"an operand of {called() or op} is neither a tile nor a number",
                given=f"{type(operand).__name__} of shape {list(np.shape(operand))}",
                allowed="a tile, or a number; an array comes into a kernel as an argument, and is loaded",
            )
    kind = element_type(dtype) if dtype is not None else result or _promoted(op, x, y)
    predicate = as_mask(mask)
    explicit = dtype is not None
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        first, second = _together(op, x.access, y.access, broadcast_partitions)
        if first.buffer.space is second.buffer.space is Space.PSUM:
            # Two PSUM operands take a copy of one to SBUF first; the vendor's compiler inserts it too.
            second = broadcast_access(copied_to_sbuf(y).access, first.shape)
        return new_tile(
            recorder,
            first.shape,
            kind,
            lambda dst: made(
                recorder,
                TensorTensor(dst=dst, data1=first, data2=second, op=op, mask=predicate, location=user_location()),
            ),
            dtype_is_explicit=explicit,
        )
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        raise RuleError(
            f"{op}.operands", f"{op} needs a tile", given=f"{type(x).__name__}, {type(y).__name__}", allowed="a tile"
        )
    tile, number = (x, y) if isinstance(x, Tensor) else (y, x)
    return scalar_op(op, tile, number, kind, predicate, reverse=tile is y, dtype_is_explicit=explicit)


def scalar_op(
    op: str,
    tile: Tensor,
    number: Any,
    kind: ElementType,
    mask: Mask | None,
    *,
    reverse: bool = False,
    dtype_is_explicit: bool = False,
) -> Tensor:
    """A new tile with `tile <op> number`, or `number <op> tile` where `reverse` is true."""
    recorder = current(f"nl.{op}")
    source = tile.access
    value = as_number(op, number)
    return new_tile(
        recorder,
        source.shape,
        kind,
        lambda dst: made(
            recorder,
            TensorScalar(
                dst=dst, data=source, op0=op, operand0=value, reverse0=reverse, mask=mask, location=user_location()
            ),
        ),
        dtype_is_explicit=dtype_is_explicit,
    )


def reduction(
    op: str,
    x: Any,
    axis: int | Sequence[int],
    *,
    dtype: Any = None,
    mask: Any = None,
    keepdims: bool = False,
    result: ElementType | None = None,
) -> Tensor:
    """A new tile with `x` reduced along free axes (any of them: a view puts them last).

    Args:
        dtype: element type of the result.
        mask: over `x`: what takes no part.
        keepdims: whether reduced axes stay, with size 1.
        result: the type where `dtype` is None; by default that of `x`.

    Raises:
        RuleError: an axis is the partition axis, or none of the tile's.
    """
    recorder = current(f"nl.{op}")
    source = _tile(x, op, "x")
    axes = free_axes(source, axis, op)
    kind = (result or source.dtype) if dtype is None else element_type(dtype)
    order = (*(d for d in range(len(source.dims)) if d not in axes), *axes)
    moved, predicate = permuted(source, order), permuted_mask(as_mask(mask), order)
    shape = tuple((1 if keepdims and d in axes else n) for d, n in enumerate(source.shape) if keepdims or d not in axes)
    if len(shape) == 1:
        shape = (*shape, 1)
    return new_tile(
        recorder,
        shape,
        kind,
        lambda dst: made(
            recorder,
            TensorReduce(dst=dst, data=moved, op=op, axes=len(axes), mask=predicate, location=user_location()),
        ),
        dtype_is_explicit=dtype is not None,
    )


def in_place(op: str, destination: Tensor, value: Any) -> None:
    """Records `destination <op>= value`, computed in float32 and stored in the type of the destination.

    A matmul that was just recorded accumulates into the destination itself: `acc += nisa.nc_matmul(x, y)`. Where
    nothing has written to `acc`, the sum starts from zero: hardware overwrites a bank with the first product of a
    group.
    """
    recorder = current(f"{op} in place")
    dst = destination.access
    if isinstance(value, Tensor):
        producer = value._producer
        accumulate = getattr(producer, "accumulated_into", None)
        if op == "add" and accumulate is not None and recorder.is_last(producer) and value.shape == dst.shape:
            assert producer is not None
            if dst.buffer.space is Space.PSUM:
                recorder.start_with(dst.buffer, zeroed(dst.buffer))
            recorder.supersede(producer, made(recorder, accumulate(dst)))
            return
        source = value.access
        if source.buffer.space is dst.buffer.space is Space.PSUM:
            source = copied_to_sbuf(value).access
        source = broadcast_access(source, dst.shape) if source.shape != dst.shape else source
        instruction: Instruction = TensorTensor(
            dst=dst, data1=dst, data2=source, op=op, mask=written_part(recorder, value), location=user_location()
        )
    else:
        instruction = TensorScalar(dst=dst, data=dst, op0=op, operand0=as_number(op, value), location=user_location())
    recorder.emit(made(recorder, instruction))


def free_axes(source: Access, axis: int | Sequence[int], function: str) -> tuple[int, ...]:
    """The axes named by `axis`, counted from 0, in order.

    Raises:
        RuleError: one is the partition axis, none of the tile's, or named twice.
    """
    rank = len(source.dims)
    named = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
    axes = tuple(sorted(int(a) + rank if a < 0 else int(a) for a in named))
    if not axes or len(set(axes)) != len(axes) or any(not 1 <= a < rank for a in axes):
        raise RuleError(
            f"{function}.axis",
            f"{function} works along free axes",
            given=f"axis {axis} of {list(source.shape)}",
            allowed=f"axes 1 to {rank - 1}; axis 0 is the partition axis",
        )
    return axes


def permuted(source: Access, order: tuple[int, ...]) -> Access:
    """A view of a direct access whose dims are put in another order."""
    if order == tuple(range(len(order))):
        return source
    dims: tuple[Dim, ...] = tuple(source.dims[d] for d in order)
    bounds = tuple(replace(bound, steps=tuple(bound.steps[d] for d in order)) for bound in source.unchecked)
    return Access(source.buffer, source.offset, dims, None, bounds, source.blocks)


def permuted_mask(mask: Mask | None, order: tuple[int, ...]) -> Mask | None:
    """The mask of a tile whose dims are put in another order."""
    if mask is None or order == tuple(range(len(order))):
        return mask
    moved = []
    for c in mask.comparisons:
        missing = len(order) - len(c.steps)
        steps, shape = (0,) * missing + c.steps, (1,) * missing + c.shape
        moved.append(Comparison(c.base, tuple(steps[d] for d in order), tuple(shape[d] for d in order), c.test))
    return Mask(tuple(moved))


def _together(op: str, x: Access, y: Access, partitions: bool) -> tuple[Access, Access]:
    """Both operands as views of one shape."""
    shape = together(op, x.shape, y.shape)
    if not partitions and x.shape[0] != y.shape[0]:
        raise RuleError(
            "err_num_partition_mismatch",
            "Python's operators do not broadcast the partition axis",
            given=f"{list(x.shape)}, {list(y.shape)}",
            allowed=f"equal sizes of axis 0; nl.{op}(x, y) broadcasts it",
        )
    return broadcast_access(x, shape), broadcast_access(y, shape)


def _promoted(op: str, x: Any, y: Any) -> ElementType:
    kind = promote(_type_of(x), _type_of(y))
    return float32 if op == "divide" and not kind.is_float else kind


def _type_of(value: Any) -> ElementType:
    return value._access.dtype if isinstance(value, Tensor) else of_scalar(value)


def _tile(value: Any, function: str, operand: str) -> Access:
    return as_tensor(value, function, operand).access


def unary_alu(op: str, x: Any, *, dtype: Any = None, mask: Any = None, result: ElementType | None = None) -> Tensor:
    """A new tile with a one-operand math operator applied to `x` (Vector or GpSimd Engine)."""
    recorder = current(f"nl.{op}")
    source = _tile(x, op, "x")
    kind = element_type(dtype) if dtype is not None else result or source.dtype
    assert OPERATORS[op].arity == 1
    predicate = as_mask(mask)
    return new_tile(
        recorder,
        source.shape,
        kind,
        lambda dst: made(
            recorder,
            TensorScalar(
                dst=dst,
                data=source,
                op0=op,
                operand0=0.0,
                engine=Engine.unknown,
                mask=predicate,
                location=user_location(),
            ),
        ),
        dtype_is_explicit=dtype is not None,
    )


def negative(x: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile with `-x`, of the type of `x` unless `dtype` says."""
    source = as_tensor(x, "negative", "x")
    kind = source.access.dtype if dtype is None else element_type(dtype)
    return scalar_op("multiply", source, -1.0, kind, as_mask(mask), dtype_is_explicit=dtype is not None)
