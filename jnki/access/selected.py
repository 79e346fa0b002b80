"""Views whose start is known only at run time: one index for all of a view, or one for each row.

Source: `select`, `vector_select` and `ap` of `NkiTensor`, and the access-pattern page, of NKI's current documentation.
"""

from collections.abc import Sequence
from dataclasses import replace

from jnki.access.access import Access, Bound, Dim, Indirect
from jnki.access.advanced import rules_of_index_tile
from jnki.access.affine import Affine
from jnki.access.buffer import Buffer, Space, row_major_strides
from jnki.access.pattern import hardware_pattern
from jnki.access.strided import leaves
from jnki.errors import RuleError, not_modelled


def select_at(access: Access, dim: int, index: Access, *, keep: int = 0) -> Access:
    """The place of one dim that `index` names at run time.

    Args:
        index: one int32 or uint32 element, in SBUF or a register.
        keep: how many places from there on stay as a dim; 0 where the dim goes away.

    Raises:
        RuleError: `view.indirect_twice`, `ap.no_partition_select`, or a rule of the index.
    """
    _direct(access, "select")
    if index.size != 1:
        raise RuleError(
            "view.select_index",
            f"a dynamic select of tensor '{access.buffer.name}' takes one element",
            given=f"{list(index.shape)} in {index.buffer.space}",
            allowed="[1, 1] in sbuf, or a register",
        )
    rules_of_index_tile(index)
    if dim == 0 and access.buffer.space.on_chip:
        raise RuleError(
            "ap.no_partition_select",
            "a dynamic index on chip cannot move along the partition dimension",
            given=f"dim 0 of {list(access.shape)}",
            allowed="a free dimension",
        )
    whole = _as_axes(access)
    old = whole.dims[dim]
    dims = (*whole.dims[:dim], *((Dim(old.step, keep),) if keep else ()), *whole.dims[dim + 1 :])
    indirect = Indirect(index, old.step, dim, old.count - max(0, keep - 1), is_vector=False)
    return Access(whole.buffer, whole.offset, dims, indirect)


def vector_select(access: Access, dim: int, index: Access) -> Access:
    """Rows of dim 0, one for each element of `index`.

    Args:
        index: `[P, 1]` of int32 or uint32 in SBUF.

    Raises:
        RuleError: `view.indirect_twice`, `dma_copy.vector_hbm`, `ap.indirect_dim0`, or a rule of the index.
    """
    _direct(access, "vector_select")
    if access.buffer.space is not Space.HBM:
        raise RuleError(
            "dma_copy.vector_hbm",
            "vector_select needs a tensor in HBM",
            given=str(access.buffer),
            allowed="hbm",
        )
    if dim != 0:
        raise RuleError("ap.indirect_dim0", "vector_select works on dimension 0 only", given=str(dim), allowed="0")
    rules_of_index_tile(index)
    if index.size != index.shape[0]:
        raise RuleError(
            "dma_copy.vector_index_shape",
            "vector_select takes one index for each row",
            given=str(list(index.shape)),
            allowed="[P, 1]",
        )
    whole = _as_axes(access)
    rows = whole.dims[0]
    indirect = Indirect(index, rows.step, 0, rows.count)
    return Access(whole.buffer, whole.offset, (Dim(0, index.shape[0]), *whole.dims[1:]), indirect)


def storage_pattern(
    access: Access,
    pattern: Sequence[Sequence[int]],
    offset: int | None,
    scalar_offset: Access | None,
    vector_offset: Access | None,
    indirect_dim: int,
    buffer: Buffer,
) -> Access:
    """`[[step, count], ...]` over the storage of a view, whose own steps do not matter.

    Args:
        offset: in elements, from where the view starts; None for 0.
        indirect_dim: the dim of the view whose row-major step a dynamic offset counts in.
        buffer: the storage, as elements of the pattern's type.

    Returns:
        The pattern. One that leaves the storage is an error where it is used, not before: public kernels make such
        patterns and then decide not to use them.

    Raises:
        RuleError: `ap.*` or `dma_copy.*`, for a pattern that the hardware cannot express.
    """
    start_bytes = access.offset.constant * access.dtype.size_bytes
    if start_bytes % buffer.dtype.size_bytes:
        raise RuleError(
            "view.divisible",
            f"ap: the view of tensor '{buffer.name}' starts between two elements of {buffer.dtype}",
            given=f"byte {start_bytes}",
            allowed=f"a start that {buffer.dtype.size_bytes} bytes divide",
        )
    start = start_bytes // buffer.dtype.size_bytes + (offset or 0)
    if scalar_offset is None and vector_offset is None:
        return _in_partitions(hardware_pattern(buffer, pattern, start))
    _direct(access, "ap")
    steps = row_major_strides(access.shape)
    if not 0 <= indirect_dim < len(steps):
        raise RuleError(
            "ap.indirect_dim0",
            "indirect_dim names no dimension of the tensor",
            given=f"{indirect_dim} of {list(access.shape)}",
            allowed=f"0 to {len(steps) - 1}",
        )
    axes, axis = buffer, indirect_dim
    if access.size * access.dtype.size_bytes == buffer.size_bytes and access.is_whole:
        shape = list(access.shape)
        shape[-1] = shape[-1] * access.dtype.size_bytes // buffer.dtype.size_bytes
        axes = replace(buffer, shape=tuple(shape))
    elif steps[indirect_dim] in buffer.strides:
        axis = buffer.strides.index(steps[indirect_dim])
    else:
        raise not_modelled(f"a dynamic offset on dimension {indirect_dim} of a view {list(access.shape)} of {buffer}")
    found = hardware_pattern(axes, pattern, start, scalar_offset, vector_offset, axis, by_columns=True)
    static = replace(found, indirect=None)
    if static.unchecked and not _walks_inside(static):
        raise leaves(static)
    return replace(found, unchecked=())


def _in_partitions(access: Access) -> Access:
    """`access`, on chip with a bound on its free dims if they run into the next partition."""
    if not access.buffer.space.on_chip:
        return access
    free = access.buffer.strides[access.buffer.partition_axis]
    start = access.offset.constant % free
    bound = Bound(Affine(start), (0, *(dim.step for dim in access.dims[1:])), 1, free)
    is_inside = start + sum(dim.step * (dim.count - 1) for dim in access.dims[1:]) < free
    return access if is_inside else replace(access, unchecked=(*access.unchecked, bound))


def _walks_inside(access: Access) -> bool:
    """Whether one choice of the dynamic offset keeps every element in the storage: run time judges the others."""
    low, high = access.offset.bounds()
    for dim in access.dims:
        reach = dim.step * (dim.count - 1)
        low, high = low + min(0, reach), high + max(0, reach)
    return low >= 0 and high - low < access.buffer.size


def _as_axes(access: Access) -> Access:
    """The same view with a buffer whose axes are the dims of the view, where it is all of a tensor in HBM.

    Then what an index counts in is an axis, along which a row is a slice and not single elements.
    """
    if access.buffer.space is Space.HBM and access.is_whole and access.shape != access.buffer.shape:
        return Access.whole(replace(access.buffer, shape=access.shape))
    return access


def _direct(access: Access, function: str) -> None:
    if access.indirect is not None:
        raise RuleError(
            "view.indirect_twice",
            f"{function}: tensor '{access.buffer.name}' has an index known at run time already",
            given=str(access),
            allowed="one such index for a view",
        )
