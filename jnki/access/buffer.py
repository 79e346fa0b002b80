"""Static descriptions of memories and of the buffers in them."""

import enum
import math
from dataclasses import dataclass

from jnki.access.lazy import lazy
from jnki.dtypes import ElementType


class Space(enum.Enum):
    """One of the three memories that a kernel can name."""

    HBM = "hbm"
    SBUF = "sbuf"
    PSUM = "psum"

    @property
    def on_chip(self) -> bool:
        return self is not Space.HBM

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Buffer:
    """A named array in one memory: it has a shape and an element type, and no values.

    Attributes:
        name: unique within a program.
        space: the memory it lives in.
        shape: sizes of all axes, block axes before the partition axis included.
        dtype: element type.
        partition_axis: on chip, the axis that is spread over partitions; 0 in HBM.
    """

    name: str
    space: Space
    shape: tuple[int, ...]
    dtype: ElementType
    partition_axis: int = 0

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
