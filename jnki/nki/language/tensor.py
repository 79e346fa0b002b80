"""`NkiTensor`: storage and a strided view of it, by dimension."""

import operator
from collections.abc import Sequence
from typing import Any

from jnki.access import strided
from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.rearrange import rearranged
from jnki.access.selected import select_at, storage_pattern, vector_select
from jnki.errors import RuleError
from jnki.nki.language.assignment import assigned
from jnki.nki.language.dtypes import DType, dtype_of, type_named
from jnki.nki.language.keys import keyed
from jnki.nki.language.memory import MemoryRegion, private_hbm, psum, sbuf, shared_hbm
from jnki.record.recorder import current
from jnki.source import calling
from jnki.tiles.compute import in_place
from jnki.tiles.tensor import Tensor
from jnki.tiles.views import is_contiguous as follows_without_gap
from jnki.tiles.views import viewed_access


class Shape(tuple[int, ...]):
    """A shape: a tuple that equals a list of the same sizes as well."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, tuple(other) if isinstance(other, list) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__


class NkiTensor(Tensor):
    """A tensor in HBM, SBUF or PSUM, or a view of one. No view copies; what is written through one shows in all.

    A tensor is true (`if tensor:` asks whether one was given), equals only itself, and has no operators but the
    in-place ones.
    """

    __slots__ = ()

    @property
    def access(self) -> Access:
        """The access pattern of this view.

        Raises:
            RuleError: `err_local_variable_used_out_of_scope`; `ap.bounds`, where the pattern leaves its storage.
        """
        return strided.inside(super().access)

    @property
    def buffer(self) -> MemoryRegion:
        """The memory that holds the tensor."""
        space = self._access.buffer.space
        if space.on_chip:
            return sbuf if space is Space.SBUF else psum
        recorder = current("NkiTensor.buffer")
        if self.name in recorder.parameters:
            return shared_hbm if recorder.grid and max(recorder.grid) > 1 else private_hbm
        return shared_hbm if recorder.is_outside_grid(self._access.buffer) else private_hbm

    @property
    def shape(self) -> Shape:
        return Shape(self._access.shape)

    @property
    def dtype(self) -> DType:
        """Element type, as its name."""
        return dtype_of(self._access.dtype)

    @property
    def strides(self) -> tuple[int, ...]:
        """Distance of neighbours along each dim, in elements of the storage."""
        return tuple(dim.step for dim in self._access.dims)

    @property
    def offset(self) -> int:
        """Where the view starts in the storage, in elements; what is known at run time left aside."""
        return self._access.offset.constant

    @property
    def base_tensor(self) -> "NkiTensor":
        """The tensor that this is a view of, from its first element to its last, in the element type of the view.

        No page of the documents has this name; public kernels read it.
        """
        return self._viewed(Access.whole(self._access.buffer))

    # Queries.

    def is_contiguous(self) -> bool:
        """Whether the elements follow each other in memory without a gap; on chip, within each partition."""
        access = self._access
        if access.indirect is not None:
            return False
        if access.buffer.space.on_chip:
            return follows_without_gap(strided.select_dim(access, 0, 0))
        return follows_without_gap(access)

    def is_indirect(self) -> bool:
        """Whether an index known only at run time takes part in the view."""
        return self._access.indirect is not None

    def get_pattern(self) -> list[list[int]]:
        """`[[step, count], ...]` of the dims."""
        return [[dim.step, dim.count] for dim in self._access.dims]

    # Views.

    # Otherwise Python would index it until an error ends the loop.
    __iter__ = None

    def __getitem__(self, key: Any) -> "NkiTensor":
        return self._viewed(keyed(self.access, key))

    def slice(self, dim: int, start: int, end: int, step: int = 1) -> "NkiTensor":
        """Places `start` to `end` (exclusive) of one dim."""
        access = self.access
        dim = strided.dimension(access, dim, "slice")
        return self._viewed(strided.slice_dim(access, dim, *map(operator.index, (start, end, step))))

    def select(self, dim: int, index: Any) -> "NkiTensor":
        """One place of a dim, which goes away.

        Args:
            index: an integer, or one int32 or uint32 element in SBUF (or a register) that is read at run time.
        """
        access = self.access
        dim = strided.dimension(access, dim, "select")
        if isinstance(index, Tensor) or hasattr(index, "access"):
            return self._viewed(select_at(access, dim, index.access))
        if dim == 0 and strided.frozen(access):
            strided.not_frozen(access, dim, "select")
        return self._viewed(strided.select_dim(access, dim, operator.index(index)))

    def vector_select(self, dim: int, vector_offset: Any) -> "NkiTensor":
        """Rows of dim 0, in HBM, one for each element of a `[P, 1]` tile."""
        return self._viewed(vector_select(self.access, dim, _index(vector_offset, "vector_select")))

    def permute(self, dims: Sequence[int]) -> "NkiTensor":
        """The dims in another order."""
        return self._viewed(strided.permute_dims(self.access, dims))

    def broadcast(self, dim: int, size: int) -> "NkiTensor":
        """A dim of size 1 repeated."""
        access = self.access
        return self._viewed(
            strided.broadcast_dim(access, strided.dimension(access, dim, "broadcast"), operator.index(size))
        )

    def expand_dim(self, dim: int) -> "NkiTensor":
        """A new dim of size 1."""
        access = self.access
        return self._viewed(strided.expand_dim(access, strided.dimension(access, dim, "expand_dim", extra=1)))

    def squeeze_dim(self, dim: int) -> "NkiTensor":
        """The view without a dim of size 1."""
        access = self.access
        return self._viewed(strided.squeeze_dim(access, strided.dimension(access, dim, "squeeze_dim")))

    def reshape_dim(self, dim: int, shape: Sequence[int]) -> "NkiTensor":
        """One dim as several; one of the sizes may be -1."""
        access = self.access
        return self._viewed(strided.split_dim(access, strided.dimension(access, dim, "reshape_dim"), shape))

    def flatten_dims(self, start_dim: int, end_dim: int) -> "NkiTensor":
        """Dims `start_dim` to `end_dim` (inclusive) as one."""
        access = self.access
        first, last = (strided.dimension(access, dim, "flatten_dims") for dim in (start_dim, end_dim))
        return self._viewed(strided.merge_dims(access, first, last))

    def reshape(self, shape: Sequence[int]) -> "NkiTensor":
        """The same elements in row-major order under another shape; on chip dim 0 stays."""
        return self._viewed(strided.reshape(self.access, tuple(shape)))

    def rearrange(
        self, src_pattern: Sequence[Any], dst_pattern: Sequence[Any], fixed_sizes: dict[str, int] | None = None
    ) -> "NkiTensor":
        """Dims split, reordered and merged by name: `t.rearrange(("p", ("h", "w")), ("p", "w", "h"), {"h": 4})`."""
        return self._viewed(rearranged(self.access, src_pattern, dst_pattern, fixed_sizes or {}))

    def view(self, dtype: Any) -> "NkiTensor":
        """The same bytes as elements of `dtype`; the last dim shrinks or grows with the element size."""
        access = self.access
        if access.indirect is not None:
            raise RuleError(
                "view.indirect",
                f"tensor '{self.name}' cannot be viewed as another type through an index known at run time",
                given=str(access),
                allowed="view(dtype) before the select",
            )
        return self._viewed(viewed_access(access, type_named(dtype)))

    reinterpret_cast = view

    def ap(
        self,
        pattern: Sequence[Sequence[int]],
        offset: int | None = None,
        scalar_offset: Any = None,
        vector_offset: Any = None,
        indirect_dim: int = 0,
        dtype: Any = None,
    ) -> "NkiTensor":
        """`[[step, count], ...]`, slowest first, over the storage; the steps of this view do not matter.

        Args:
            offset: in elements of the pattern's type, added to where this view starts.
            scalar_offset: one int32 or uint32 element in SBUF, or a register, that the whole pattern moves by.
            vector_offset: `[P, 1]` of them, one for each row of the pattern, in HBM.
            indirect_dim: the dim of this view whose row-major step the dynamic offset counts in.
            dtype: of the elements; that of this view by default.
        """
        access = self.access
        kind = access.dtype if dtype is None else type_named(dtype)
        storage = viewed_access(Access.whole(access.buffer), kind).buffer
        scalar, vector = (None if given is None else _index(given, "ap") for given in (scalar_offset, vector_offset))
        start = None if offset is None else operator.index(offset)
        return self._viewed(storage_pattern(access, pattern, start, scalar, vector, indirect_dim, storage))

    def indirect(self, index: Any, num_elem: int | None = None) -> "NkiTensor":
        """Elements of each partition that an index tile names, by groups of partitions. Not modelled.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("jnki does not model NkiTensor.indirect yet")

    # Writing.

    def __setitem__(self, key: Any, value: Any) -> None:
        assigned(self[key], value)

    def _in_place(self, op: str, other: Any) -> "NkiTensor":
        with calling(f"nl.{op}, in place"):
            in_place(op, self, other)
        return self

    def __iadd__(self, other: Any) -> "NkiTensor":
        return self._in_place("add", other)

    def __isub__(self, other: Any) -> "NkiTensor":
        return self._in_place("subtract", other)

    def __imul__(self, other: Any) -> "NkiTensor":
        return self._in_place("multiply", other)

    __hash__ = object.__hash__


def _index(value: Any, function: str) -> Access:
    """The access of a run-time index: a tile or a register.

    Raises:
        RuleError: `<function>.index`, for anything else.
    """
    found = getattr(value, "access", None)
    if not isinstance(found, Access):
        raise RuleError(
            f"{function}.index",
            f"{function}: a dynamic index is a tile in SBUF or a register",
            given=f"{type(value).__name__} {value}"[:80],
            allowed="an int32 or uint32 tile, or a register; an integer is an offset",
        )
    return found
