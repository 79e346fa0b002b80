"""Slabs: the part of a buffer that belongs to one iteration of a loop.

Where every access to a buffer moves with the loop index in steps of `size` along one axis, and stays inside the step,
iteration `i` works on a slab of the buffer that no other iteration touches:

    axis:  |-- slab 0 --|-- slab 1 --|-- slab 2 --| ... rest (untouched)

Then the buffer need not be carried through the loop: its slabs go in and come out, one per iteration.
"""

from dataclasses import dataclass, replace

from jnki.access.access import Access, Dim
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer
from jnki.access.coordinates import coordinates, inside
from jnki.isa.instruction import Instruction
from jnki.lower.trim import trimmed
from jnki.memory.layout import block_of
from jnki.program.program import DeviceLoop, Loop, Node, instructions


@dataclass(frozen=True)
class Slab:
    """How a loop divides a buffer.

    Attributes:
        buffer: the whole.
        axis: the divided axis.
        size: length of one slab on it.
        first: number of the slab of iteration 0.
        trips: number of iterations.
    """

    buffer: Buffer
    axis: int
    size: int
    first: int
    trips: int

    @property
    def part(self) -> Buffer:
        """What one iteration sees in place of the buffer."""
        shape = list(self.buffer.shape)
        shape[self.axis] = self.size
        return replace(self.buffer, shape=tuple(shape))

    @property
    def covers(self) -> bool:
        """Whether the slabs of all iterations make up the whole buffer."""
        return self.first == 0 and self.trips * self.size == self.buffer.shape[self.axis]

    def inside(self, access: Access, symbol: Symbol) -> Access:
        """`access`, which lies in the slab of iteration `symbol`, as an access of `part`."""
        part, offset, steps = self.part, Affine(), [0] * len(access.dims)
        for axis, (index, stride) in enumerate(zip(coordinates(access), part.strides)):
            start = index.start
            if axis == self.axis:
                start = start.without(symbol) + -self.first * self.size
            offset = offset + start * stride
            steps = [s + move * stride for s, move in zip(steps, index.steps)]
        dims = tuple(Dim(step, dim.count) for step, dim in zip(steps, access.dims))
        return Access(part, offset, dims)


def slab_of(buffer: Buffer, accesses: list[Access], symbol: Symbol) -> Slab | None:
    """How the loop over `symbol` divides `buffer`, or None where iterations are not disjoint in this way."""
    found: Slab | None = None
    for access in accesses:
        if access.buffer != buffer or access.indirect is not None or not inside(access):
            return None
        moving = [a for a, index in enumerate(coordinates(access)) if index.start.coefficient(symbol)]
        if len(moving) != 1:
            return None
        axis = moving[0]
        index = coordinates(access)[axis]
        size = index.start.coefficient(symbol)
        if size < 0:
            return None
        low, high = replace(index, start=index.start.without(symbol)).bounds(access.shape)
        slab = Slab(buffer, axis, size, low // size, symbol.trips)
        if low // size != high // size or (slab.first + slab.trips) * size > buffer.shape[axis] or low < 0:
            return None
        if found is not None and slab != found:
            return None
        found = slab
    return found


def in_slabs(nodes: tuple[Node, ...], slabs: dict[Buffer, Slab], symbol: Symbol) -> tuple[Node, ...]:
    """The body of the loop with every access to a divided buffer moved into its slab."""

    def moved(access: Access) -> Access:
        slab = slabs.get(access.buffer)
        return access if slab is None else slab.inside(access, symbol)

    return tuple(
        replace(node, body=in_slabs(node.body, slabs, symbol))
        if isinstance(node, (Loop, DeviceLoop))
        else node.map_accesses(moved)
        for node in nodes
    )


def overwrites(nodes: tuple[Node, ...], buffer: Buffer) -> bool:
    """Whether the block writes all of `buffer` before anything reads it: its old value does not matter."""
    for node in nodes:
        match node:
            case Loop():
                accesses = [a for a in accesses_in(node.body) if a.buffer.name == buffer.name]
                if not accesses:
                    continue
                if node.symbol.trips == 0:
                    return False
                if overwrites(node.body, buffer):
                    return True
                slab = slab_of(buffer, accesses, node.symbol)
                return (
                    slab is not None
                    and slab.covers
                    and overwrites(in_slabs(node.body, {buffer: slab}, node.symbol), slab.part)
                )
            case DeviceLoop():
                # It may run not at all.
                if any(a.buffer.name == buffer.name for a in accesses_in((node,))):
                    return False
            case Instruction():
                if any(a.buffer.name == buffer.name for a in node.reads()):
                    return False
                written = [a for a in node.written() if a.buffer.name == buffer.name]
                if written:
                    return any(_fills(node, a) for a in written)
    return False


def writes_in_part(nodes: tuple[Node, ...], buffer: Buffer) -> bool:
    """Whether the block writes some of `buffer` and leaves the rest as it is, at any one time."""
    for node in nodes:
        match node:
            case Loop():
                accesses = [a for a in accesses_in(node.body) if a.buffer.name == buffer.name]
                slab = slab_of(buffer, accesses, node.symbol) if accesses else None
                if slab is None or not slab.covers:
                    if writes_to(node.body, buffer):
                        return True
                elif writes_in_part(in_slabs(node.body, {buffer: slab}, node.symbol), slab.part):
                    return True
            case DeviceLoop():
                if writes_to(node.body, buffer):
                    return True
            case Instruction():
                if any(a.buffer.name == buffer.name and not _covers(a) for a in trimmed(node).written()):
                    return True
    return False


def writes_to(nodes: tuple[Node, ...], buffer: Buffer) -> bool:
    """Whether an instruction of the block writes to `buffer`."""
    return any(a.buffer.name == buffer.name for i in instructions(nodes) for a in i.written())


def _fills(instruction: Instruction, access: Access) -> bool:
    if instruction.mask is not None or instruction.reads_destination:
        return False
    if any(operand.indirect is not None for operand in instruction.operands().values()):
        return False  # a row that is out of bounds moves nothing
    block = block_of(access)
    return block is not None and block.is_dense and block.covers(access.buffer.shape)


def _covers(access: Access) -> bool:
    """Whether a write there makes the whole buffer anew, instead of updating a part of it."""
    block = block_of(access) if access.indirect is None else None
    return access.is_whole or (block is not None and block.covers(access.buffer.shape))


def accesses_in(nodes: tuple[Node, ...]) -> list[Access]:
    """Every access in a block, index tiles and nested loops included."""
    found: list[Access] = []
    for node in nodes:
        match node:
            case Loop():
                found.extend(accesses_in(node.body))
            case DeviceLoop():
                found.extend(accesses_in((node.head, *node.body)))
            case _:
                for access in node.operands().values():
                    found.extend(access.accesses())
    return found
