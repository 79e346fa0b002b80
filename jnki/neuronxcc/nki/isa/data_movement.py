"""Instructions that move or make elements: `dma_copy`, `dma_transpose`, `iota`, `memset`, `tensor_copy` and its kin."""

from collections.abc import Sequence
from typing import Any

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.dtypes import element_type
from jnki.isa.constants import as_number
from jnki.isa.dma.dma_copy import make as make_dma
from jnki.isa.dma.legacy_rules import index_on_chip
from jnki.isa.enums import dge_mode, engine, oob_mode
from jnki.isa.gpsimd.iota import Iota, as_expression
from jnki.isa.vector.memset import Memset
from jnki.isa.vector.tensor_copy import make as make_copy
from jnki.record.recorder import current
from jnki.source import user_location
from jnki.tiles import selection
from jnki.tiles.tensor import Tensor, as_tensor, new_tile


def dma_copy(
    *,
    dst: Tensor,
    src: Tensor,
    mask: Any = None,
    dst_rmw_op: Any = None,
    oob_mode: oob_mode = oob_mode.error,
    dge_mode: dge_mode = dge_mode.unknown,
) -> None:
    """Copies `src` to `dst`, both in HBM or SBUF, element by element in row-major order.

    Args:
        dst, src: equally many elements; either may be indexed by an SBUF tile of row indices.
        mask: affine comparisons; where false nothing is read, checked or written.
        dst_rmw_op: None, or `np.add` to add to what `dst` holds, in float32.
        oob_mode: whether a row index out of bounds faults or skips its row.
        dge_mode: who generates the descriptors; it decides what is legal.

    Raises:
        RuleError: the copy breaks a rule. docs/isa/dma/dma_copy.md has them all.
    """
    recorder = current("nisa.dma_copy")
    to, source = as_tensor(dst, "dma_copy", "dst").access, as_tensor(src, "dma_copy", "src").access
    copy = make_dma(to, source, as_mask(mask), dst_rmw_op, oob_mode, dge_mode, recorder.target)
    for name, access in copy.operands().items():
        if access.indirect is not None and access.buffer.space.on_chip:
            raise index_on_chip(copy, name, access)
    recorder.emit(copy)


def dma_transpose(
    src: Tensor,
    *,
    axes: Any = None,
    mask: Any = None,
    dtype: Any = None,
    dge_mode: dge_mode = dge_mode.unknown,
) -> Tensor:
    """A new SBUF tile with the axes of a tile in HBM or SBUF permuted, by a DMA.

    Args:
        src: of rank 2, 3 or 4.
        axes: (1, 0), (2, 1, 0) or (3, 1, 2, 0), the only one for each rank.
        mask: over the axes of `src`; what to leave unwritten.
        dtype: element type of the result; that of `src` by default.
        dge_mode: who generates the descriptors; it decides what is legal.

    Raises:
        RuleError: docs/isa/dma/dma_transpose.md has the rules.
    """
    return selection.dma_transpose(src, axes=axes, mask=mask, dtype=dtype, dge_mode=dge_mode)


def iota(expr: Any, dtype: Any, *, mask: Any = None) -> Tensor:
    """A new SBUF tile with the values of an affine expression of indices.

    Args:
        expr: such as `2 * nl.arange(64)[:, None] + 1`; its shape is the tile's. 32-bit integer arithmetic.
        dtype: element type of the tile.
        mask: what to leave unwritten.

    Raises:
        RuleError: the expression is not affine, or has rank 1.
    """
    recorder = current("nisa.iota")
    expression = as_expression(expr)

    def make(dst: Access) -> Iota:
        instruction = Iota(dst=dst, expr=expression, mask=as_mask(mask), location=user_location())
        instruction.check(recorder.target)
        return instruction

    return new_tile(recorder, expression.shape, element_type(dtype), make)


def memset(
    shape: Sequence[int], value: Any, dtype: Any, *, mask: Any = None, engine: engine = engine.unknown
) -> Tensor:
    """A new SBUF tile with `value` everywhere.

    Args:
        shape: `[P, F...]`; the first axis is the partition axis whatever `nl.par_dim` says.
        value: a constant number.
        dtype: element type of the tile.
        mask: what to leave unwritten.
        engine: vector, gpsimd or unknown.
    """
    recorder = current("nisa.memset")

    def make(dst: Access) -> Memset:
        instruction = Memset(
            dst=dst,
            value=as_number("memset", value),
            engine=engine,
            mask=as_mask(mask),
            location=user_location(),
        )
        instruction.check(recorder.target)
        return instruction

    return new_tile(recorder, tuple(int(n) for n in shape), element_type(dtype), make)


def tensor_copy(src: Tensor, *, mask: Any = None, dtype: Any = None, engine: engine = engine.unknown) -> Tensor:
    """A new SBUF tile with the elements of a tile in SBUF or PSUM.

    Args:
        src: `[P, F...]`.
        mask: what to leave unwritten.
        dtype: element type of the result; that of `src` by default.
        engine: vector, scalar, gpsimd or unknown. GpSimd cannot access PSUM.
    """
    recorder = current("nisa.tensor_copy")
    source = as_tensor(src, "tensor_copy", "src").access
    return new_tile(
        recorder,
        source.shape,
        source.dtype if dtype is None else element_type(dtype),
        lambda dst: make_copy(dst, source, mask, engine, recorder.target),
        dtype_is_explicit=dtype is not None,
    )


def tensor_copy_dynamic_src(
    src: Tensor, *, mask: Any = None, dtype: Any = None, engine: engine = engine.unknown
) -> Tensor:
    """A new SBUF tile with the elements of a tile that starts where an element of SBUF says.

    Args:
        src: a tile in SBUF or PSUM with one dynamic index on a free axis, `offset[0, i]` or
            `offset[0, i] + nl.arange(...)[None, :]`.
        mask: what to leave unwritten.
        dtype: element type of the result; that of `src` by default.
        engine: vector, scalar, gpsimd or unknown. GpSimd cannot access PSUM.

    Raises:
        RuleError: docs/isa/vector/tensor_copy_dynamic.md has the rules.
    """
    return selection.tensor_copy_dynamic_src(src, mask=mask, dtype=dtype, engine=engine)


def tensor_copy_dynamic_dst(
    *, dst: Tensor, src: Tensor, mask: Any = None, dtype: Any = None, engine: engine = engine.unknown
) -> None:
    """Copies a tile into one that starts where an element of SBUF says.

    Args:
        dst: a tile in SBUF or PSUM with one dynamic index on a free axis.
        src: a tile in SBUF or PSUM with as many elements in each partition.
        mask: over `dst`; where false, it stays as it was.
        dtype: None, or the type of `dst`.
        engine: vector, scalar, gpsimd or unknown. GpSimd cannot access PSUM.

    Raises:
        RuleError: docs/isa/vector/tensor_copy_dynamic.md has the rules.
    """
    selection.tensor_copy_dynamic_dst(dst, src, mask=mask, dtype=dtype, engine=engine)


def tensor_copy_predicated(
    *, src: Any, dst: Tensor, predicate: Tensor, reverse_pred: bool = False, mask: Any = None, dtype: Any = None
) -> None:
    """Copies elements of `src` to `dst` where `predicate` is not zero; the rest of `dst` stays.

    Args:
        src: a tile of the type of `dst`, or a number.
        dst: `[P, F...]` in SBUF or PSUM.
        predicate: a tile of uint8, uint16, uint32 or bool; not in PSUM if `src` is.
        reverse_pred: whether elements move where the predicate is zero.
        mask: where false, `dst` stays as it was.
        dtype: None, or the type of `dst`.

    Raises:
        RuleError: docs/isa/vector/tensor_copy_predicated.md has the rules.
    """
    selection.tensor_copy_predicated(src, dst, predicate, reverse_pred=reverse_pred, mask=mask, dtype=dtype)
