"""Recording functions of each element: what the `nl` functions of a dialect share beside `compute`."""

from typing import Any

import numpy as np

from jnki.access.access import Access, Dim
from jnki.access.affine import ZERO
from jnki.access.mask import as_mask
from jnki.dtypes import ElementType, element_type, float32
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.gpsimd.affine_select import AffineSelect, as_predicate
from jnki.isa.instruction import Instruction
from jnki.isa.language_function import LanguageFunction
from jnki.isa.operands import as_column
from jnki.isa.promotion import of_scalar, promote
from jnki.isa.scalar.activation import Activation
from jnki.isa.vector.reciprocal import Reciprocal
from jnki.isa.vector.select import Select
from jnki.record.recorder import Recorder, current
from jnki.source import user_location
from jnki.tiles.compute import made
from jnki.tiles.fitting import together
from jnki.tiles.tensor import Tensor, as_tensor, new_tile
from jnki.tiles.views import broadcast_access


def activation(
    op: str,
    data: Any,
    *,
    instruction: type[Activation] = Activation,
    bias: Any = None,
    scale: Any = 1.0,
    reduce_op: str | None = None,
    reduce_cmd: ReduceCmd = ReduceCmd.idle,
    reduce_res: Any = None,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """A new tile with `op(data * scale + bias)`, recorded as an activation.

    Args:
        op: name of an activation function.
        data: a tile.
        instruction: `Activation` or `ActivationReduce`.
        bias, scale, reduce_op, reduce_cmd, reduce_res: see `Activation`; tiles for what are accesses there.
        dtype: element type of the result; that of `data` by default.
        mask: what to leave unwritten.
    """
    name = instruction.name
    recorder = current(name)
    source = as_tensor(data, name, "data").access
    rank = len(source.dims)
    factor, shift = _scale(scale, name, rank), _bias(bias, name, rank)
    read_out = None if reduce_res is None else as_column(as_tensor(reduce_res, name, "reduce_res").access, rank)
    uses_registers = reduce_cmd != ReduceCmd.idle or read_out is not None
    registers = accumulator(recorder, source, "activation_accumulator") if uses_registers else None
    predicate = as_mask(mask)
    return _elementwise(
        recorder,
        source,
        dtype,
        lambda dst: instruction(
            dst=dst,
            data=source,
            op=op,
            bias=shift,
            scale=factor,
            reduce_op=reduce_op,
            reduce_cmd=reduce_cmd,
            reduce_res=read_out,
            accumulator=registers,
            mask=predicate,
            location=user_location(),
        ),
    )


def accumulator(recorder: Recorder, data: Access, name: str) -> Access:
    """The accumulator registers of an engine of the partitions of `data`, with one axis for each of its axes."""
    buffer = recorder.make_registers(name, (recorder.target.partition_count, 1), float32)
    ones = tuple(Dim(0, 1) for _ in data.shape[1:])
    return Access(buffer, ZERO, (Dim(1, data.shape[0]), *ones))


def _scale(scale: Any, name: str, rank: int) -> Access | float:
    if isinstance(scale, Tensor):
        return as_column(scale.access, rank)
    if isinstance(scale, (bool, int, float, np.generic)):
        return float(scale)
    raise RuleError(
        "err_activation_scale_invalid_type",
        f"{name}: 'scale' has the wrong type",
        given=f"{type(scale).__name__} {scale}"[:120],
        allowed="a number, or a float32 vector",
    )


def _bias(bias: Any, name: str, rank: int) -> Access | None:
    if bias is None:
        return None
    if isinstance(bias, Tensor):
        return as_column(bias.access, rank)
    raise RuleError(
        "err_activation_bias_invalid_type",
        f"{name}: 'bias' must be a tile",
        given=f"{type(bias).__name__} {bias}"[:120],
        allowed="a vector of float32, float16 or bfloat16, such as nisa.memset((P, 1), value, dtype=np.float32)",
    )


def reciprocal(data: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile with one over each element of `data`, on the Vector Engine."""
    recorder = current("reciprocal")
    source = as_tensor(data, "reciprocal", "data").access
    predicate = as_mask(mask)
    return _elementwise(
        recorder,
        source,
        dtype,
        lambda dst: Reciprocal(dst=dst, data=source, mask=predicate, location=user_location()),
    )


def affine_select(pred: Any, on_true: Any, on_false: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile with the elements of a tile where one affine comparison holds, and a number elsewhere."""
    recorder = current("affine_select")
    source = as_tensor(on_true, "affine_select", "on_true_tile").access
    value, holds, predicate = float(as_number("affine_select", on_false)), as_predicate(pred), as_mask(mask)
    return _elementwise(
        recorder,
        source,
        dtype,
        lambda dst: AffineSelect(
            dst=dst, on_true=source, on_false=value, pred=holds, mask=predicate, location=user_location()
        ),
    )


def select(condition: Any, x: Any, y: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile with elements of `x` where `condition` is not zero, else of `y`; all of them broadcast together."""
    recorder = current("nl.where")
    when, chosen = as_tensor(condition, "where", "condition").access, as_tensor(x, "where", "x").access
    other = y.access if isinstance(y, Tensor) else as_number("where", y)
    kind = promote(chosen.dtype, other.dtype if isinstance(other, Access) else of_scalar(y))
    when, chosen, other = _together("where", when, chosen, other)
    predicate = as_mask(mask)
    return _elementwise(
        recorder,
        chosen,
        dtype,
        lambda dst: Select(
            dst=dst, condition=when, on_true=chosen, on_false=other, mask=predicate, location=user_location()
        ),
        default=kind,
    )


def remainder(function: str, x: Any, y: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile with what is left of `x` divided by `y`; tiles broadcast together, numbers stand for tiles."""
    recorder = current(f"nl.{function}")
    if not isinstance(x, Tensor) and not isinstance(y, Tensor):
        raise RuleError(
            f"{function}.operands",
            f"{function} needs a tile",
            given=f"{type(x).__name__}, {type(y).__name__}",
            allowed="a tile, and a tile or a number",
        )
    kind = promote(*(v.access.dtype if isinstance(v, Tensor) else of_scalar(v) for v in (x, y)))
    given = (v.access if isinstance(v, Tensor) else as_number(function, v) for v in (x, y))
    first, second = _together(function, *given)
    predicate = as_mask(mask)
    return _elementwise(
        recorder,
        first if isinstance(first, Access) else second,
        dtype,
        lambda dst: LanguageFunction(
            dst=dst, function=function, x=first, y=second, mask=predicate, location=user_location()
        ),
        default=kind,
    )


def _together(function: str, *operands: Any) -> tuple[Any, ...]:
    """All tiles among the operands as views of one shape; numbers as they are."""
    tiles = [operand for operand in operands if isinstance(operand, Access)]
    shape = together(function, *(tile.shape for tile in tiles))
    return tuple(broadcast_access(o, shape) if isinstance(o, Access) else o for o in operands)


def _elementwise(
    recorder: Recorder, like: Access, dtype: Any, make: Any, *, default: ElementType | None = None
) -> Tensor:
    """A new tile of the shape of `like`, and the checked instruction that fills it."""
    kind = (default or like.dtype) if dtype is None else element_type(dtype)

    def checked(dst: Access) -> Instruction:
        return made(recorder, make(dst))

    return new_tile(recorder, like.shape, kind, checked, dtype_is_explicit=dtype is not None)


def language_function(function: str, x: Any, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new tile with a function of each element of `x` that no single instruction of the hardware computes."""
    recorder = current(f"nl.{function}")
    source = as_tensor(x, function, "x").access
    predicate = as_mask(mask)
    return _elementwise(
        recorder,
        source,
        dtype,
        lambda dst: LanguageFunction(dst=dst, function=function, x=source, mask=predicate, location=user_location()),
    )
