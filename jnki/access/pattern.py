"""`.ap(...)`: an access written as the hardware has it."""

from collections.abc import Sequence

from jnki.access.access import Access, Bound, Dim, Indirect
from jnki.access.advanced import rules_of_index_tile
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer, Space
from jnki.errors import RuleError


def hardware_pattern(
    buffer: Buffer,
    pattern: Sequence[Sequence[int]],
    offset: Affine | int = 0,
    scalar_offset: Access | None = None,
    vector_offset: Access | None = None,
    indirect_dim: int = 0,
    *,
    by_columns: bool = False,
) -> Access:
    """The access `[[step, count], ...]` from `offset`, in elements of `buffer`.

    Args:
        buffer: what is accessed; its own shape gives the stride of `indirect_dim`.
        pattern: pairs from the slowest to the fastest; on chip the first one walks the partitions.
        offset: static start, in elements.
        scalar_offset: a one-element SBUF tile, or a register: the whole pattern moves by that many places on
            `indirect_dim`.
        vector_offset: a `[P, 1]` SBUF tile: row `j` of the pattern is row `vector_offset[j]` of the buffer, and the
            step of the leading pair is ignored in favour of the buffer's own.
        indirect_dim: the axis of the buffer that a dynamic offset counts on; 0 for a vector.
        by_columns: whether `vector_offset` may have several columns, or more elements than there are rows: it is then
            read column by column. Not every instruction takes one.

    Raises:
        RuleError: `ap.*` or `dma_copy.*`, for a pattern the hardware cannot express.

    Source: the access-pattern page of NKI's current documentation.
    """
    dims = tuple(Dim(int(step), int(count)) for step, count in pattern)
    if any(dim.count < 1 for dim in dims):
        raise RuleError(
            "ap.count",
            f"the pattern on '{buffer.name}' has a pair without elements",
            given=str([[dim.step, dim.count] for dim in dims]),
            allowed="counts of 1 or more",
        )
    if scalar_offset is not None and vector_offset is not None:
        raise RuleError(
            "dma_copy.offsets_exclusive",
            "scalar_offset and vector_offset exclude each other",
            given="both",
            allowed="at most one of them",
        )
    free_size = buffer.strides[buffer.partition_axis]
    if buffer.space.on_chip and dims and dims[0].count > 1 and dims[0].step != free_size:
        raise RuleError(
            "ap.partition_contiguous",
            f"ap() pattern has invalid partition stride. Partition step {dims[0].step} must equal tensor free "
            f"dimension size {free_size}",
            given=f"partition step {dims[0].step}",
            allowed=f"{free_size}, the free size of {list(buffer.shape)}",
        )
    if not 0 <= indirect_dim < len(buffer.shape):
        raise RuleError(
            "ap.indirect_dim0",
            "indirect_dim names no axis",
            given=str(indirect_dim),
            allowed=f"0 to {len(buffer.shape) - 1}",
        )
    start = Affine.of(offset)
    indirect = None
    if vector_offset is not None:
        indirect = _vector(buffer, vector_offset, dims, indirect_dim, by_columns)
        dims = (Dim(0, dims[0].count), *dims[1:])
    elif scalar_offset is not None:
        indirect = _scalar(buffer, scalar_offset, indirect_dim)
    flat = Bound(start, tuple(d.step for d in dims), 0, buffer.size)
    return Access(buffer, start, dims, indirect, () if _inside(flat, dims) else (flat,))


def _vector(buffer: Buffer, index: Access, dims: tuple[Dim, ...], indirect_dim: int, by_columns: bool) -> Indirect:
    rules_of_index_tile(index)
    if buffer.space is not Space.HBM:
        raise RuleError("dma_copy.vector_hbm", "vector_offset needs a tensor in HBM", given=str(buffer), allowed="hbm")
    if indirect_dim != 0:
        raise RuleError(
            "ap.indirect_dim0",
            "vector_offset works on axis 0 only",
            given=str(indirect_dim),
            allowed="indirect_dim=0",
        )
    rows = dims[0].count if dims else 0
    is_column = index.size == rows and index.shape[:1] == (rows,)
    is_tile = by_columns and len(index.shape) == 2 and index.size >= rows > 0
    if not is_column and not is_tile:
        raise RuleError(
            "dma_copy.vector_index_shape",
            "vector_offset must hold one row index per row of the pattern",
            given=f"{list(index.shape)} for {rows} rows",
            allowed="[P, 1], P the count of the leading pair",
        )
    columns = 1 if is_column else index.shape[1]
    return Indirect(index, buffer.strides[0], 0, buffer.shape[0], walks_axis=True, columns=columns)


def _scalar(buffer: Buffer, index: Access, indirect_dim: int) -> Indirect:
    rules_of_index_tile(index)
    if index.size != 1:
        raise RuleError(
            "dma_copy.scalar_index",
            "scalar_offset must be one element",
            given=str(list(index.shape)),
            allowed="[1, 1] in sbuf, or a register",
        )
    if buffer.space.on_chip and indirect_dim == buffer.partition_axis:
        raise RuleError(
            "ap.no_partition_select",
            "a dynamic offset on chip cannot move along the partition axis",
            given=f"indirect_dim {indirect_dim}",
            allowed="a free axis",
        )
    step, size = buffer.strides[indirect_dim], buffer.shape[indirect_dim]
    return Indirect(index, step, indirect_dim, size, is_vector=False, walks_axis=True)


def _inside(bound: Bound, dims: tuple[Dim, ...]) -> bool:
    low, high = bound.base.bounds()
    for dim in dims:
        reach = dim.step * (dim.count - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low >= 0 and high < bound.size
