"""The one normal form of every operand: an access pattern over a buffer."""

from dataclasses import dataclass, replace

from jnki.access.affine import ZERO, Affine, Symbol
from jnki.access.buffer import Buffer
from jnki.access.lazy import lazy
from jnki.dtypes import ElementType


@dataclass(frozen=True, slots=True)
class Dim:
    """One level of a hardware access pattern: `count` elements, `step` elements of the buffer apart."""

    step: int
    count: int


@dataclass(frozen=True, slots=True)
class Bound:
    """An index that may leave its axis: `0 <= base + sum(steps[d] * d) < size` is still to be shown.

    It is judged together with the mask of the instruction that uses the access (clause C4).
    """

    base: Affine
    steps: tuple[int, ...]
    axis: int
    size: int


@dataclass(frozen=True)
class Indirect:
    """The one dynamic offset of an access (clauses C8 to C10).

    Row `j` (position `j` of dim 0) starts `step * index[j]` elements further (a vector, one index per row), or
    `step * index[0]` (a scalar, `is_vector` False). The row is valid when `0 <= index < size` and, where the static
    part of the pattern walks the same axis, the places that it reaches from there are on the axis too.

    Attributes:
        index: an int32 or uint32 SBUF tile with `[P, 1]` elements, or one element; or a register.
        step: distance of neighbours on the indexed axis, in elements of the buffer.
        axis: the indexed axis, for messages.
        size: its size.
        columns: of a vector, how many columns of the index tile are read, one after the other. There may be more
            indices than rows.
        walks_axis: whether the static part may walk the indexed axis: a hardware pattern may, a subscript, which
            has no other index on that axis, does not. `axis` is then an axis of the buffer.
    """

    index: "Access"
    step: int
    axis: int
    size: int
    is_vector: bool = True
    walks_axis: bool = False
    columns: int = 1


@dataclass(frozen=True)
class Access:
    """A view of a buffer: start offset and `[step, count]` dims, in elements, walked in row-major order.

    Attributes:
        buffer: what is accessed.
        offset: first element; affine in loop indices.
        dims: from the slowest to the fastest.
        indirect: the dynamic offset, if any.
        unchecked: indices that may leave their axis, unless a mask keeps them inside.
        blocks: on chip, how many dims stand in front of the partition axis, which is dim `blocks`; a tile has none.
            0 in HBM.
    """

    buffer: Buffer
    offset: Affine
    dims: tuple[Dim, ...]
    indirect: Indirect | None = None
    unchecked: tuple[Bound, ...] = ()
    blocks: int = 0

    @staticmethod
    def whole(buffer: Buffer) -> "Access":
        dims = tuple(map(Dim, buffer.strides, buffer.shape))
        return Access(buffer, ZERO, dims, blocks=buffer.partition_axis)

    @lazy
    def shape(self) -> tuple[int, ...]:
        return tuple(dim.count for dim in self.dims)

    @lazy
    def size(self) -> int:
        size = 1
        for dim in self.dims:
            size *= dim.count
        return size

    @property
    def dtype(self) -> ElementType:
        return self.buffer.dtype

    @lazy
    def is_whole(self) -> bool:
        """Whether it walks every element of the buffer once, in order."""
        if self.indirect is not None or self.offset != ZERO or self.size != self.buffer.size:
            return False
        expected = 1
        for dim in reversed(self.dims):
            if dim.count != 1 and dim.step != expected:
                return False
            expected *= dim.count
        return True

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        if self.indirect is None:
            return self.offset.symbols
        return tuple(dict.fromkeys(self.offset.symbols + self.indirect.index.symbols))

    def accesses(self) -> tuple["Access", ...]:
        """This access and the index tile that it reads."""
        return (self, self.indirect.index) if self.indirect else (self,)

    def substitute(self, symbol: Symbol, value: Affine) -> "Access":
        if symbol not in self.symbols and not self.unchecked:
            return self
        indirect = self.indirect and replace(self.indirect, index=self.indirect.index.substitute(symbol, value))
        unchecked = tuple(replace(b, base=b.base.substitute(symbol, value)) for b in self.unchecked)
        return Access(self.buffer, self.offset.substitute(symbol, value), self.dims, indirect, unchecked, self.blocks)

    def restricted(self, box: tuple[tuple[int, int], ...]) -> "Access":
        """The part of this (direct) access at the half-open range `box[d]` of each dim."""
        offset, dims = self.offset, []
        unchecked = list(self.unchecked)
        for d, (dim, (low, high)) in enumerate(zip(self.dims, box)):
            offset = offset + dim.step * low
            dims.append(Dim(dim.step, high - low))
            unchecked = [replace(b, base=b.base + b.steps[d] * low) for b in unchecked]
        return Access(self.buffer, offset, tuple(dims), None, tuple(unchecked), self.blocks)

    def __str__(self) -> str:
        """`name[shape]` for a whole buffer; else offset and dims as the hardware has them."""
        if self.is_whole and self.shape == self.buffer.shape:
            return self.buffer.name
        dims = " ".join(f"[{d.step},{d.count}]" for d in self.dims)
        start = f"{self.offset}" if self.offset != ZERO else "0"
        if self.indirect is not None:
            kind = "row" if self.indirect.is_vector else "at"
            start = f"{start} + {self.indirect.step}*{kind}({self.indirect.index})"
        return f"{self.buffer.name}({start}: {dims})"
