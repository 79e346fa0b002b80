"""Shadows: for each tensor that is watched one of the same shape, in which all bits of a written element are 1.

    tile: sbuf float32[128, 512]              tile (written): sbuf uint8[128, 512]
    tile = dma_copy(src=x)                    tile (written) = all ones

Where a tensor is seen under types of several sizes, the elements of its shadow are as wide as its own: a view of the
tensor is the same view of its shadow, and an element of which one byte was never written has a zero there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from jnki.access.access import Access
from jnki.access.buffer import Buffer
from jnki.dtypes import ElementType, uint8, uint16, uint32
from jnki.errors import not_modelled
from jnki.isa.instruction import Instruction

_BY_SIZE = {kind.size_bytes: kind for kind in (uint8, uint16, uint32)}


@dataclass(frozen=True)
class Shadows:
    """The shadows of a program.

    Attributes:
        viewed: names of the tensors that are seen under types of several sizes.
    """

    viewed: frozenset[str]

    @staticmethod
    def of(every: Iterable[Instruction]) -> "Shadows":
        """Those of a program that consists of these instructions."""
        sizes: dict[str, set[int]] = {}
        for instruction in every:
            for operand in instruction.operands().values():
                for access in operand.accesses():
                    sizes.setdefault(access.buffer.name, set()).add(access.dtype.size_bytes)
        return Shadows(frozenset(name for name, found in sizes.items() if len(found) > 1))

    def of_buffer(self, buffer: Buffer) -> Buffer:
        """The shadow of a tensor, in the same memory."""
        dtype = _wide(buffer.dtype) if buffer.name in self.viewed else uint8
        return replace(buffer, name=f"{buffer.name} (written)", dtype=dtype, places=())

    def of_access(self, access: Access) -> Access:
        """The same elements of the shadow; an index of run time is still read where it is."""
        return replace(access, buffer=self.of_buffer(access.buffer))


def _wide(dtype: ElementType) -> ElementType:
    if dtype.size_bytes not in _BY_SIZE:
        raise not_modelled(f"findings about unwritten elements of type {dtype} beside another one")
    return _BY_SIZE[dtype.size_bytes]
