"""Views by dimension: slice, select, permute, broadcast, split, merge. Each changes offset and steps, and no element.

A view is a start and a `[step, count]` for each dimension, as the current dialect of NKI has it; dims of size 1 keep
their step. On chip dim 0 is the partition axis, and no view moves, splits or removes it; nor dim 0 of rows that a
vector of indices selects.

Source: the page of `NkiTensor`, and the language guide, of NKI's current documentation.
"""

import itertools
import math
from collections.abc import Sequence

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine
from jnki.errors import RuleError


def dimension(access: Access, dim: int, function: str, *, extra: int = 0) -> int:
    """`dim` counted from 0.

    Args:
        extra: 1 where it names a place between dims.

    Raises:
        RuleError: `view.dim`, there is no such dim.
    """
    rank = len(access.dims) + extra
    if not -rank <= dim < rank:
        raise RuleError(
            "view.dim",
            f"{function}: tensor '{access.buffer.name}' has no such dimension",
            given=f"dim {dim} of {list(access.shape)}",
            allowed=f"0 to {rank - 1}",
        )
    return dim % rank


def frozen(access: Access) -> bool:
    """Whether dim 0 stays as it is: it is the partition axis, or the rows that a vector of indices names."""
    return access.buffer.space.on_chip or (access.indirect is not None and access.indirect.is_vector)


def not_frozen(access: Access, dim: int, function: str) -> None:
    """`dim` is no partition axis and no indexed rows.

    Raises:
        RuleError: `view.partition`.
    """
    if dim == 0 and frozen(access):
        what = "the partition dimension" if access.buffer.space.on_chip else "the rows that an index names"
        raise RuleError(
            "view.partition",
            f"{function} cannot change dimension 0 of tensor '{access.buffer.name}': it is {what}",
            given=f"dim 0 of {list(access.shape)}",
            allowed="another dimension",
        )


def slice_dim(access: Access, dim: int, start: int, end: int, step: int = 1) -> Access:
    """Places `start` to `end` (exclusive) of one dim, in steps.

    Raises:
        RuleError: `slice.bounds`, unless 0 <= start < end <= size and step >= 1.
    """
    check_slice(access, dim, start, end, step)
    if (start, end, step) == (0, access.dims[dim].count, 1):
        return access
    old = access.dims[dim]
    return _with(access, dim, (Dim(old.step * step, -(-(end - start) // step)),), start * old.step)


def check_slice(access: Access, dim: int, start: int, end: int, step: int) -> None:
    """There is such a slice of one dim.

    Raises:
        RuleError: `slice.bounds`, `index.bounds`; `view.partition`, for rows that an index names.
    """
    size = access.dims[dim].count
    if step < 1:
        raise RuleError("slice.bounds", "a slice needs a positive step", given=f"step {step}", allowed="step >= 1")
    if not 0 <= start < end <= size:
        if 0 <= start >= end:
            raise RuleError(
                "slice.bounds",
                f"a slice of tensor '{access.buffer.name}' on dimension {dim} is empty",
                given=f"{start}:{end} of {size}",
                allowed=f"0 <= start < end <= {size}",
            )
        raise outside(access, dim, f"index range [{start}, {end - 1}]")
    if dim == 0 and access.indirect is not None and access.indirect.is_vector and (start, end, step) != (0, size, 1):
        raise RuleError(
            "view.partition",
            f"rows of tensor '{access.buffer.name}' that an index names cannot be sliced",
            given=f"{start}:{end}:{step} on dimension 0",
            allowed="a slice of the index",
        )


def check_place(access: Access, dim: int, index: int) -> None:
    """There is such a place on one dim.

    Raises:
        RuleError: `index.bounds`.
    """
    if not 0 <= index < access.dims[dim].count:
        raise outside(access, dim, f"index {index}")


def select_dim(access: Access, dim: int, index: int, *, keep: bool = False) -> Access:
    """Place `index` of one dim, which goes away, or stays with size 1.

    Raises:
        RuleError: `index.bounds`.
    """
    check_place(access, dim, index)
    old = access.dims[dim]
    return _with(access, dim, (Dim(old.step, 1),) if keep else (), index * old.step)


def outside(access: Access, dim: int, what: str) -> RuleError:
    """The error of an index that leaves its dim."""
    size = access.dims[dim].count
    return RuleError(
        "index.bounds",
        f"Out-of-bound access for tensor `{access.buffer.name}` on dimension {dim}: {what} exceed dimension size of "
        f"{size}.",
        given=f"{what} of {list(access.shape)}",
        allowed=f"0 to {size - 1}",
    )


def permute_dims(access: Access, order: Sequence[int]) -> Access:
    """The dims in another order.

    Raises:
        RuleError: `view.permutation`, `view.partition`.
    """
    rank = len(access.dims)
    dims = tuple(int(d) + rank if d < 0 else int(d) for d in order)
    if sorted(dims) != list(range(rank)):
        raise RuleError(
            "view.permutation",
            "permute takes each dimension once",
            given=f"{tuple(order)} of {list(access.shape)}",
            allowed=f"a permutation of {tuple(range(rank))}",
        )
    if dims and dims[0] != 0:
        not_frozen(access, 0, "permute")
    return _viewed(access, tuple(access.dims[d] for d in dims), access.offset)


def broadcast_dim(access: Access, dim: int, size: int) -> Access:
    """A dim of size 1 repeated, with step 0.

    Raises:
        RuleError: `view.broadcast`, where its size is not 1; `view.partition`.
    """
    old = access.dims[dim]
    if size == old.count:
        return access
    if old.count != 1 or size < 1:
        raise RuleError(
            "view.broadcast",
            f"broadcast repeats a dimension of size 1 of tensor '{access.buffer.name}'",
            given=f"dim {dim} of {list(access.shape)} to {size}",
            allowed="a dim of size 1, and a size of 1 or more",
        )
    not_frozen(access, dim, "broadcast")
    return _with(access, dim, (Dim(0, int(size)),))


def expand_dim(access: Access, dim: int) -> Access:
    """A new dim of size 1 at place `dim`.

    Raises:
        RuleError: `view.partition`.
    """
    not_frozen(access, dim, "expand_dim")
    step = access.dims[dim].step * access.dims[dim].count if dim < len(access.dims) else 1
    return _viewed(access, (*access.dims[:dim], Dim(step, 1), *access.dims[dim:]), access.offset)


def squeeze_dim(access: Access, dim: int) -> Access:
    """The view without a dim of size 1.

    Raises:
        RuleError: `view.squeeze`, where its size is not 1; `view.partition`.
    """
    not_frozen(access, dim, "squeeze_dim")
    if access.dims[dim].count != 1:
        raise RuleError(
            "view.squeeze",
            f"squeeze_dim removes a dimension of size 1 of tensor '{access.buffer.name}'",
            given=f"dim {dim} of {list(access.shape)}",
            allowed="a dim of size 1",
        )
    return _with(access, dim, ())


def split_dim(access: Access, dim: int, shape: Sequence[int]) -> Access:
    """One dim as several, slowest first; one of their sizes may be -1.

    Raises:
        RuleError: `view.split`, where the sizes do not make up the dim; `view.partition`.
    """
    old = access.dims[dim]
    sizes = resolved(shape, old.count)
    if sizes is None:
        raise RuleError(
            "view.split",
            f"the sizes do not make up dimension {dim} of tensor '{access.buffer.name}'",
            given=f"{tuple(shape)} for {old.count}",
            allowed=f"sizes whose product is {old.count}; one of them may be -1",
        )
    if sizes == (old.count,):
        return access
    not_frozen(access, dim, "reshape_dim")
    dims: list[Dim] = []
    step = old.step
    for count in reversed(sizes):
        dims.insert(0, Dim(step, count))
        step *= count
    return _with(access, dim, tuple(dims))


def merge_dims(access: Access, first: int, last: int) -> Access:
    """Dims `first` to `last`, which follow each other in memory without a gap, as one.

    Raises:
        RuleError: `view.contiguous`, where they do not; `view.partition`.
    """
    if first == last:
        return access
    not_frozen(access, first, "flatten_dims")
    kept = [dim for dim in access.dims[first : last + 1] if dim.count != 1]
    if any(x.step != y.step * y.count for x, y in itertools.pairwise(kept)):
        raise RuleError(
            "view.contiguous",
            f"dimensions {first} to {last} of tensor '{access.buffer.name}' do not follow each other in memory",
            given=f"shape {list(access.shape)}, steps {[d.step for d in access.dims]}",
            allowed="dims whose steps nest without a gap; copy the view first",
        )
    size = math.prod(d.count for d in kept)
    merged = Dim(kept[-1].step if kept else access.dims[last].step, size)
    return _viewed(access, (*access.dims[:first], merged, *access.dims[last + 1 :]), access.offset)


def reshape(access: Access, shape: Sequence[int]) -> Access:
    """The same elements in row-major order under another shape; one size may be -1.

    Raises:
        RuleError: `reshape.element_count`; `reshape.partition_kept`; `view.contiguous`, where the steps of the view
            make no such shape.
    """
    sizes = resolved(shape, access.size)
    if sizes is None:
        raise RuleError(
            "reshape.element_count",
            f"tensor '{access.buffer.name}' cannot be reshaped",
            given=f"{list(access.shape)} to {list(shape)}",
            allowed="equally many elements",
        )
    if frozen(access) and sizes[:1] != access.shape[:1]:
        raise RuleError(
            "reshape.partition_kept",
            f"Partition dim size must be preserved, got {access.shape[0]} -> {sizes[0] if sizes else '()'}",
            given=f"{list(access.shape)} to {list(shape)}",
            allowed="a shape with the same dimension 0",
        )
    start = 1 if frozen(access) else 0
    dims = _reshaped(access.dims[start:], sizes[start:])
    if dims is None:
        raise RuleError(
            "view.contiguous",
            f"tensor '{access.buffer.name}' cannot be reshaped: its steps make no such shape",
            given=f"{list(access.shape)} with steps {[d.step for d in access.dims]} to {list(shape)}",
            allowed="a reshape within dims that nest without a gap; copy the view first",
        )
    return _viewed(access, (*access.dims[:start], *dims), access.offset)


def resolved(shape: Sequence[int], size: int) -> tuple[int, ...] | None:
    """The sizes of `shape`, a -1 among them replaced, if their product is `size`."""
    sizes = [int(n) for n in shape]
    if sizes.count(-1) == 1:
        known = math.prod(n for n in sizes if n != -1)
        if known < 1 or size % known:
            return None
        sizes[sizes.index(-1)] = size // known
    return tuple(sizes) if all(n >= 0 for n in sizes) and math.prod(sizes) == size else None


def _reshaped(old: tuple[Dim, ...], shape: tuple[int, ...]) -> tuple[Dim, ...] | None:
    """Dims of `shape` that walk what `old` walk; None where no steps do."""
    rest: list[Dim] = []
    for dim in old:
        if dim.count == 1:
            continue
        if rest and rest[-1].step == dim.step * dim.count:
            rest[-1] = Dim(dim.step, rest[-1].count * dim.count)
        else:
            rest.append(dim)
    dims: list[Dim] = []
    step, left = (rest[-1].step, rest[-1].count) if rest else (1, 1)
    for count in reversed(shape):
        if count != 1 and left == 1 and len(rest) > 1:
            rest.pop()
            step, left = rest[-1].step, rest[-1].count
        if left % count:
            return None
        dims.insert(0, Dim(step, count))
        step, left = step * count, left // count
    return tuple(dims)


def _with(access: Access, dim: int, dims: tuple[Dim, ...], moved: int = 0) -> Access:
    """`access` with other dims in the place of one, and its start moved."""
    return _viewed(access, (*access.dims[:dim], *dims, *access.dims[dim + 1 :]), access.offset + moved)


def inside(access: Access) -> Access:
    """`access`, which must not leave its storage.

    Raises:
        RuleError: `ap.bounds`.
    """
    if access.unchecked:
        raise leaves(access)
    return access


def leaves(access: Access) -> RuleError:
    """The error of a pattern that leaves its storage."""
    buffer = access.buffer
    return RuleError(
        "ap.bounds",
        f"the pattern leaves tensor '{buffer.name}'",
        given=f"{[[dim.step, dim.count] for dim in access.dims]} from {access.offset}, of {buffer.size} elements",
        allowed="elements 0 to " + str(buffer.size - 1),
    )


def _viewed(access: Access, dims: tuple[Dim, ...], offset: Affine) -> Access:
    return Access(access.buffer, offset, dims, access.indirect)
