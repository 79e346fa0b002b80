"""Static descriptions of memories and of the buffers in them."""

import enum
import math
from dataclasses import dataclass, field

from jnki.access.lazy import lazy
from jnki.dtypes import ElementType


class Space(enum.Enum):
    """One of the three memories that a kernel can name, or the registers of its engines.

    A register is a buffer of one element, `[1, 1]` int32. It has no address, and nothing but register instructions
    and loops on the device write to it.
    """

    HBM = "hbm"
    SBUF = "sbuf"
    PSUM = "psum"
    REGISTER = "register"

    @property
    def on_chip(self) -> bool:
        """Whether its tensors lie in partitions."""
        return self in (Space.SBUF, Space.PSUM)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Place:
    """Where one block of an on-chip buffer starts, as its author says.

    Attributes:
        partition: its first partition.
        byte: its first byte in each of its partitions; in PSUM, of the bank.
        bank: the bank of PSUM, where a tile starts at partition 0 and byte 0; None in SBUF.
    """

    partition: int
    byte: int
    bank: int | None = None

    def __str__(self) -> str:
        if self.bank is not None:
            return f"bank {self.bank}"
        return f"partition {self.partition}, byte {self.byte}" if self.partition else f"byte {self.byte}"


@dataclass(frozen=True)
class Buffer:
    """A named array in one memory: it has a shape and an element type, and no values.

    Attributes:
        name: unique within a program.
        space: the memory it lives in.
        shape: sizes of all axes, block axes before the partition axis included.
        dtype: element type.
        partition_axis: on chip, the axis that is spread over partitions; 0 in HBM.
        places: of a buffer that is allocated by hand, where each block starts, in row-major order; they change no
        value.
    """

    name: str
    space: Space
    shape: tuple[int, ...]
    dtype: ElementType
    partition_axis: int = 0
    # Equal buffers have equal names: there is no need to hash hundreds of places with each access.
    places: tuple[Place, ...] = field(default=(), hash=False)

    @lazy
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @lazy
    def strides(self) -> tuple[int, ...]:
        """Row-major distance between neighbours on each axis, in elements."""
        return row_major_strides(self.shape)

    @property
    def size_bytes(self) -> int:
        return self.size * self.dtype.size_bytes

    def __str__(self) -> str:
        return f"{self.space} tensor '{self.name}' {list(self.shape)} {self.dtype}"


def row_major_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return tuple(strides)
