"""Blocks that their author has put in one place while both are needed: the later one overwrites the earlier one.

    t = nl.ndarray((8, nl.par_dim(128), 512), ..., buffer=ncc.sbuf.mod_alloc(base_addr=0, num_free_tiles=(2,)))
    for i in nl.affine_range(8): t[i] = nl.load(...)     t[2] is where t[0] was
    for i in nl.affine_range(8): ... = nl.exp(t[i])      t[0] is read: error

The program is walked in the order in which it is written, iteration by iteration, with what is in each block: which
part of it was certainly written, and which part of that was certainly overwritten by another block since. Reading of
the latter is the error. Every other use of a place is legitimate, as software pipelines need it. "Certainly" is
rectangles of partitions and bytes: an access counts if it has no mask, no index of run time, and no gaps, and belongs
to an instruction that reads and writes all of its operands. The walk ends after `MAX_STEPS` instructions, so that what
it finds is true and what it does not find may be wrong all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from math import prod

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.buffer import Buffer, Space
from jnki.analysis.by_hand import is_placed
from jnki.errors import RuleError
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.isa.instruction import Instruction
from jnki.isa.scalar.activation import Activation
from jnki.isa.tensor.nc_matmul import NcMatmul
from jnki.isa.tensor.nc_transpose import NcTranspose
from jnki.isa.vector.reciprocal import Reciprocal
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.isa.vector.tensor_reduce import TensorReduce
from jnki.isa.vector.tensor_scalar import TensorScalar
from jnki.isa.vector.tensor_tensor import TensorTensor
from jnki.program.program import DeviceLoop, Loop, Node
from jnki.target import Target

MAX_STEPS = 10_000

# They read and write each element of their operands. A memset is not here: a tensor may be made with values in it long
# before it is used, and the compiler sets them where it is used.
_WHOLE = (
    *(DmaCopy, Activation, NcMatmul, NcTranspose),
    *(Reciprocal, TensorCopy, TensorReduce, TensorScalar, TensorTensor),
)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Partitions `top` to `bottom` and bytes `left` to `right` of a memory, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def touches(self, other: "Rectangle") -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def meet(self, other: "Rectangle") -> "Rectangle | None":
        top, bottom = max(self.top, other.top), min(self.bottom, other.bottom)
        left, right = max(self.left, other.left), min(self.right, other.right)
        return Rectangle(top, bottom, left, right) if top < bottom and left < right else None

    def covers(self, other: "Rectangle") -> bool:
        return self.meet(other) == other

    def without(self, other: "Rectangle") -> Iterator["Rectangle"]:
        """What is left of this rectangle, in up to four parts."""
        hole = self.meet(other)
        if hole is None:
            yield self
            return
        parts = (
            Rectangle(self.top, hole.top, self.left, self.right),
            Rectangle(hole.bottom, self.bottom, self.left, self.right),
            Rectangle(hole.top, hole.bottom, self.left, hole.left),
            Rectangle(hole.top, hole.bottom, hole.right, self.right),
        )
        yield from (part for part in parts if part.top < part.bottom and part.left < part.right)


@dataclass(slots=True)
class Block:
    """One block of a buffer: where it is, what of it was written, and what of that was lost, to which instruction."""

    buffer: Buffer
    number: int
    where: Rectangle
    written: list[tuple[Rectangle, Instruction]] = field(default_factory=list)
    lost: list[tuple[Rectangle, Instruction, "Block", Instruction]] = field(default_factory=list)

    def __str__(self) -> str:
        axis = self.buffer.partition_axis
        index = list(map(int, np.unravel_index(self.number, self.buffer.shape[:axis]))) if axis else ""
        return f"'{self.buffer.name}'{index} ({self.buffer.places[self.number]})"


def check_lifetimes(nodes: tuple[Node, ...], target: Target) -> None:
    """No block of a tensor that is allocated by hand is read after another one has overwritten it.

    Raises:
        RuleError: `allocation.lifetime`.
    """
    if is_placed(nodes):
        _Walk(target).run(nodes, {}, count())


class _Walk:
    """The state of memory at one point of the program."""

    def __init__(self, target: Target):
        self._target = target
        self._blocks: dict[str, list[Block]] = {}
        # The blocks that hold something, by memory.
        self._holding: dict[Space, list[Block]] = {Space.SBUF: [], Space.PSUM: []}

    def run(self, nodes: tuple[Node, ...], at: dict[Symbol, int], steps: Iterator[int]) -> bool:
        """Whether the end was reached."""
        for node in nodes:
            if isinstance(node, Loop):
                for number in range(node.symbol.trips):
                    for buffer in node.buffers:
                        self._forget(buffer)
                    if not self.run(node.body, {**at, node.symbol: number}, steps):
                        return False
            elif isinstance(node, DeviceLoop):
                # Nobody knows how often it runs, and what is in memory afterwards.
                return False
            elif next(steps) >= MAX_STEPS:
                return False
            else:
                self._step(node, at)
        return True

    def _forget(self, buffer: Buffer) -> None:
        for block in self._blocks.pop(buffer.name, ()):
            if block.written:
                self._holding[buffer.space].remove(block)

    def _step(self, instruction: Instruction, at: dict[Symbol, int]) -> None:
        is_certain = isinstance(instruction, _WHOLE) and instruction.mask is None
        is_certain &= all(a.indirect is None and not a.unchecked for a in instruction.operands().values())
        is_certain &= getattr(instruction, "contraction_mask", None) is None
        if is_certain:
            for access in instruction.reads():
                if access.buffer.places:
                    self._read(instruction, access, at)
        for access in instruction.written():
            if access.buffer.places:
                self._write(instruction, access, at, is_certain)

    def _read(self, instruction: Instruction, access: Access, at: dict[Symbol, int]) -> None:
        found = self._find(access, at)
        if found is None:
            return
        block, rectangle, has_gaps = found
        if has_gaps:
            return
        for lost, writer, other, by in block.lost:
            if lost.meet(rectangle) is not None:
                raise _overwritten(instruction, block, writer, other, by)

    def _write(self, instruction: Instruction, access: Access, at: dict[Symbol, int], is_certain: bool) -> None:
        found = self._find(access, at)
        if found is None:
            for block in self._blocks_of(access.buffer):
                block.lost.clear()
            return
        block, rectangle, has_gaps = found
        block.lost = [(part, *rest) for lost, *rest in block.lost for part in lost.without(rectangle)]  # type: ignore
        if has_gaps or not is_certain:
            return
        holding = self._holding[access.buffer.space]
        for other in holding[:]:
            if other is not block and other.where.touches(rectangle):
                self._overwrite(other, rectangle, block, instruction)
        if not block.written:
            holding.append(block)
        block.written = [(old, by) for old, by in block.written if not rectangle.covers(old)]
        block.written.append((rectangle, instruction))

    def _overwrite(self, block: Block, rectangle: Rectangle, other: Block, by: Instruction) -> None:
        kept = []
        for old, writer in block.written:
            lost = old.meet(rectangle)
            if lost is not None:
                block.lost.append((lost, writer, other, by))
            kept += [(part, writer) for part in old.without(rectangle)]
        block.written = kept
        if not kept:
            self._holding[block.buffer.space].remove(block)

    def _blocks_of(self, buffer: Buffer) -> list[Block]:
        if buffer.name not in self._blocks:
            axis = buffer.partition_axis
            partitions, size_bytes = buffer.shape[axis], prod(buffer.shape[axis + 1 :]) * buffer.dtype.size_bytes
            self._blocks[buffer.name] = [
                Block(buffer, number, Rectangle(p.partition, p.partition + partitions, start, start + size_bytes))
                for number, p in enumerate(buffer.places)
                for start in ((p.bank or 0) * self._target.psum_bank_bytes + p.byte,)
            ]
        return self._blocks[buffer.name]

    def _find(self, access: Access, at: dict[Symbol, int]) -> tuple[Block, Rectangle, bool] | None:
        """The block that an access is in, the rectangle around it, and whether it leaves out any of that."""
        buffer = access.buffer
        shape = _shape_of(access)
        if shape is None or access.indirect is not None:
            return None
        height, width, has_gaps = shape
        free = buffer.strides[buffer.partition_axis]
        offset = access.offset.constant + sum(k * at[symbol] for symbol, k in access.offset.terms)
        number, inside = divmod(offset, buffer.shape[buffer.partition_axis] * free)
        top, left = divmod(inside, free)
        if left + width > free or top + height > buffer.shape[buffer.partition_axis]:
            return None
        if not 0 <= number < len(buffer.places):
            return None
        block = self._blocks_of(buffer)[number]
        size, where = buffer.dtype.size_bytes, block.where
        left_byte = where.left + left * size
        top += where.top
        return block, Rectangle(top, top + height, left_byte, left_byte + width * size), has_gaps


def _shape_of(access: Access) -> tuple[int, int, bool] | None:
    """Height in partitions and width in elements of the rectangle around an access, and whether it leaves out any."""
    free = access.buffer.strides[access.buffer.partition_axis]
    height, steps = 1, []
    for dim in access.dims:
        if dim.count == 1 or dim.step == 0:
            continue
        if dim.step == free and height == 1:
            height = dim.count
        elif 0 < dim.step < free:
            steps.append((dim.step, dim.count))
        else:
            return None
    width, has_gaps = 1, False
    for step, number in sorted(steps):
        has_gaps |= step > width
        width += step * (number - 1)
    return height, width, has_gaps


def _overwritten(reader: Instruction, block: Block, writer: Instruction, other: Block, by: Instruction) -> RuleError:
    return reader.error(
        "allocation.lifetime",
        f"it reads {block}, which {other} has overwritten",
        given=f"{_line(writer)} writes {block}, {_line(by)} writes {other}, then it is read",
        allowed="places apart for what is needed at the same time; force_auto_alloc ignores all places",
    )


def _line(instruction: Instruction) -> str:
    at = instruction.location
    return f"{instruction.name} at {at.short()}" if at is not None else instruction.name
