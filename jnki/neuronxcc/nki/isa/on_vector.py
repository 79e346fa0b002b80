"""Instructions of the Vector Engine on tiles: arithmetic, reductions, dropout, the eight largest, shuffles."""

from collections.abc import Sequence
from typing import Any

from jnki.dtypes import element_type
from jnki.errors import RuleError
from jnki.isa.enums import engine
from jnki.isa.operators import operator
from jnki.tiles import random, selection, vector
from jnki.tiles.elementwise import reciprocal as record_reciprocal
from jnki.tiles.tensor import Tensor


def dropout(data: Tensor, prob: Any, *, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile with elements of `data` replaced by zero at random. What stays is not scaled.

    Args:
        data: `[P, F...]` in SBUF or PSUM.
        prob: the drop probability: a number from 0 to 1, or a tile `[P, 1]`, one for each partition.
        mask: what to leave unwritten.
        dtype: element type of the result; that of `data` by default, and always where `data` holds integers.

    Raises:
        RuleError: docs/isa/vector/dropout.md has the rules.
    """
    return random.dropout(data, prob, mask=mask, dtype=dtype)


def max8(*, src: Tensor, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile `[P, 8]` with the eight largest values of each partition, from the largest down.

    Args:
        src: `[P, F...]` in SBUF or PSUM, 8 to 16384 elements per partition.
        mask: over `src`; what is off takes no part.
        dtype: element type of the result; that of `src` by default.

    Raises:
        RuleError: docs/isa/vector/max8.md has the rules.
    """
    return selection.max8(src, mask=mask, dtype=dtype)


def nc_find_index8(*, data: Tensor, vals: Tensor, mask: Any = None, dtype: Any = None) -> Tensor:
    """A new SBUF tile `[P, 8]` with the first place of each of eight values in each partition.

    Args:
        data: `[P, F...]` in SBUF or PSUM, 8 to 16384 elements per partition.
        vals: eight values for each partition.
        mask: over `data`; what is off equals nothing.
        dtype: uint16 or uint32; uint32 by default.

    Raises:
        RuleError: docs/isa/vector/nc_find_index8.md has the rules.
    """
    return selection.nc_find_index8(data, vals, mask=mask, dtype=dtype)


def nc_match_replace8(
    *, data: Tensor, vals: Tensor, imm: Any, dst_idx: Any = None, mask: Any = None, dtype: Any = None
) -> Tensor:
    """A new SBUF tile with the elements of `data`, and `imm` where eight values first are in each partition.

    Args:
        data: `[P, F...]` in SBUF or PSUM, at most 16384 elements per partition.
        vals: eight values for each partition.
        imm: a number.
        dst_idx: None, or a tile `[P, 8]` that gets the places of what was replaced.
        mask: over `data`; what is off equals nothing and is not written.
        dtype: element type of the result; that of `data` by default.

    Raises:
        RuleError: docs/isa/vector/nc_match_replace8.md has the rules.
    """
    return selection.nc_match_replace8(data, vals, imm, dst_idx=dst_idx, mask=mask, dtype=dtype)


def nc_stream_shuffle(src: Tensor, dst: Tensor, shuffle_mask: Any, *, dtype: Any = None, mask: Any = None) -> None:
    """Rearranges partitions within each quadrant: partition `i` of `dst` gets `shuffle_mask[i]` of `src`.

    Args:
        src, dst: tiles in SBUF or PSUM of one type with equally many elements per partition; they may be one.
        shuffle_mask: one integer for each partition of a quadrant; 255 leaves it as it was.
        dtype: None, or the type of `dst`.
        mask: over `dst`; where false, it stays as it was.

    Raises:
        RuleError: docs/isa/vector/nc_stream_shuffle.md has the rules.
    """
    selection.nc_stream_shuffle(src, dst, shuffle_mask, dtype=dtype, mask=mask)


def reciprocal(data: Tensor, *, dtype: Any = None, mask: Any = None) -> Tensor:
    """A new SBUF tile with one over each element of `data`, in float32, cast to `dtype`.

    Args:
        data: `[P, F...]` in SBUF or PSUM.
        dtype: element type of the result; that of `data` by default.
        mask: what to leave unwritten.
    """
    return record_reciprocal(data, dtype=dtype, mask=mask)


def tensor_reduce(
    op: Any,
    data: Tensor,
    axis: int | Sequence[int],
    *,
    mask: Any = None,
    dtype: Any = None,
    negate: bool = False,
    keepdims: bool = False,
) -> Tensor:
    """A new SBUF tile with `data` reduced along its last free axes.

    Args:
        op: an operator that reduces, such as `nl.add` or `np.max`.
        data: `[P, F...]` in SBUF or PSUM.
        axis: the last free axis, or the last ones in a row, up to four.
        mask: over `data`; a masked-off element takes no part, a result without any enabled element is not written.
        dtype: element type of the result; that of `data` by default.
        negate: whether the result is multiplied by -1 (arithmetic operators only).
        keepdims: whether reduced axes stay, with size 1.

    Raises:
        RuleError: docs/isa/vector/tensor_reduce.md has the rules.
    """
    return vector.tensor_reduce(
        operator(op, "tensor_reduce").name, data, axis, dtype=dtype, mask=mask, negate=negate, keepdims=keepdims
    )


def tensor_scalar(
    data: Tensor,
    op0: Any,
    operand0: Any,
    reverse0: bool = False,
    op1: Any = None,
    operand1: Any = None,
    reverse1: bool = False,
    *,
    dtype: Any = None,
    mask: Any = None,
    engine: engine = engine.unknown,
) -> Tensor:
    """A new SBUF tile with `(data <op0> operand0) <op1> operand1`, each operand one number per partition.

    Args:
        data: `[P, F...]` in SBUF or PSUM.
        op0, op1: operators, both bitvec or both arithmetic; op1 may be None.
        operand0, operand1: a number, or a tile `[P, 1]`.
        reverse0, reverse1: whether the operand stands on the left.
        dtype: element type of the result; that of `data` by default.
        mask: what to leave unwritten.
        engine: vector, scalar, gpsimd or unknown.

    Raises:
        RuleError: docs/isa/vector/tensor_scalar.md has the rules.
    """
    return vector.tensor_scalar(
        data,
        operator(op0, "tensor_scalar", "op0").name,
        operand0,
        reverse0,
        None if op1 is None else operator(op1, "tensor_scalar", "op1").name,
        operand1,
        reverse1,
        dtype=dtype,
        mask=mask,
        engine=engine,
    )


def tensor_tensor(
    data1: Tensor, data2: Tensor, op: Any, *, dtype: Any = None, mask: Any = None, engine: engine = engine.unknown
) -> Tensor:
    """A new SBUF tile with `data1 <op> data2`, element by element.

    Args:
        data1, data2: equal partitions; equal elements per partition, or free axes of size 1 that repeat; not both in
            PSUM.
        op: a binary operator, such as `nl.add` or `np.multiply`.
        dtype: element type of the result; by default the two types promoted.
        mask: what to leave unwritten.
        engine: vector, gpsimd or unknown.

    Raises:
        RuleError: docs/isa/vector/tensor_tensor.md has the rules.
    """
    return vector.tensor_tensor(
        data1,
        data2,
        operator(op, "tensor_tensor").name,
        dtype=None if dtype is None else element_type(dtype),
        mask=mask,
        engine=engine,
    )


def scalar_tensor_tensor(
    *,
    data: Tensor,
    op0: Any,
    operand0: Any,
    op1: Any,
    operand1: Tensor,
    reverse0: bool = False,
    reverse1: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """A new SBUF tile with `(data <op0> operand0) <op1> operand1`, first with a number per partition, then with a tile.

    Args:
        data: `[P, F...]` in SBUF or PSUM.
        op0, op1: operators, both bitvec or both arithmetic.
        operand0: a number, or a tile `[P, 1]`.
        operand1: a tile of the shape of `data`; not both in PSUM.
        reverse0, reverse1: whether the operand stands on the left.
        dtype: element type of the result; that of `data` by default.
        mask: what to leave unwritten.

    Raises:
        RuleError: docs/isa/vector/scalar_tensor_tensor.md has the rules.
    """
    return vector.scalar_tensor_tensor(
        data,
        operator(op0, "scalar_tensor_tensor", "op0").name,
        operand0,
        operator(op1, "scalar_tensor_tensor", "op1").name,
        operand1,
        reverse0,
        reverse1,
        dtype=dtype,
        mask=mask,
    )


def tensor_scalar_reduce(
    *,
    data: Tensor,
    op0: Any,
    operand0: Any,
    reduce_op: Any,
    reduce_res: Tensor,
    reverse0: bool = False,
    dtype: Any = None,
    mask: Any = None,
) -> Tensor:
    """A new SBUF tile with `data <op0> operand0`; its reduction along all free axes goes to `reduce_res`.

    Args:
        data: `[P, F...]` in SBUF or PSUM.
        op0: an arithmetic operator.
        operand0: a number, or a tile `[P, 1]`.
        reduce_op: add, subtract, multiply, max or min.
        reduce_res: a tile `[P, 1]`, written in place.
        reverse0: documented as not supported yet.
        dtype: element type of the result; that of `data` by default.
        mask: what to leave unwritten, and out of the reduction.

    Raises:
        RuleError: docs/isa/vector/tensor_scalar_reduce.md has the rules.
    """
    if reverse0:
        raise RuleError(
            "tensor_scalar_reduce.reverse0",
            "tensor_scalar_reduce: NKI does not support reversed operands yet",
            given="reverse0=True",
            allowed="reverse0=False; nisa.tensor_scalar and nisa.tensor_reduce",
        )
    return vector.tensor_scalar_reduce(
        data,
        operator(op0, "tensor_scalar_reduce", "op0").name,
        operand0,
        operator(reduce_op, "tensor_scalar_reduce", "reduce_op").name,
        reduce_res,
        dtype=dtype,
        mask=mask,
    )
