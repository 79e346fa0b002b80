"""The pass that makes a program watch itself: with marks of what was written, and counts of what was not.

    tile = dma_copy(src=x(0: [64,8] [1,32]))          tile (written) = mark_written      where the copy writes
                                                      (findings)[0] = count_unwritten    where the reduction reads
    sums = tensor_reduce(data=tile)                   sums = tensor_reduce(data=tile)

What is written whole before anything reads it, by a rule on access patterns, is not watched: most tensors of most
kernels cost nothing. Beside DMAs that write rows by an index tile, rows that are written twice are counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from jnki.access.access import Access
from jnki.access.affine import Affine, Symbol
from jnki.access.buffer import Buffer, Space
from jnki.errors import not_modelled
from jnki.isa.dma.dma_compute import DmaCompute
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.isa.instruction import Instruction
from jnki.isa.vector.memset import Memset
from jnki.lower.slabs import overwrites
from jnki.program.program import DeviceLoop, Loop, Node, Program, instructions
from jnki.source import Location
from jnki.watch.count_repeats import CountRepeats
from jnki.watch.count_unwritten import CountUnwritten
from jnki.watch.footprint import Touch, footprint
from jnki.watch.mark_written import MarkWritten
from jnki.watch.shadow import Shadows
from jnki.watch.tally import row_of, tally_buffer


@dataclass(frozen=True)
class Watched:
    """A place that is watched: one operand of one instruction, or one output.

    Attributes:
        instruction, operand: names; of an output, "return" and its number.
        repeats: whether it is rows that are written twice that are counted, and not elements that were never written.
        access: the elements.
        loops: the indices of the loops around it, outermost first.
        unrolled: iterations of unrolled loops, as an instruction has them.
        location: the user's line.
    """

    instruction: str
    operand: str
    access: Access
    loops: tuple[Symbol, ...] = ()
    unrolled: tuple[tuple[int, str, int | Affine], ...] = ()
    location: Location | None = None
    repeats: bool = False


@dataclass(frozen=True)
class WatchedProgram:
    """A program that watches itself.

    Attributes:
        program: its last output is the tally, a row for each place.
        places: what is watched, in the order of the rows.
        unjudged: operands of which values decide what is read, or left as it was, with their instructions' lines.
    """

    program: Program
    places: tuple[Watched, ...]
    unjudged: tuple[str, ...]


def watched(program: Program) -> WatchedProgram:
    """The program with counts of what it reads and never wrote.

    Raises:
        NotImplementedError: devices exchange something in it.
    """
    if any(instruction.crosses_devices for instruction in instructions(program.body)):
        raise not_modelled("with_findings of a kernel that exchanges data with other devices")
    known = {p.buffer.name for p in program.parameters}
    candidates = dict(_declared(program.buffers, program.body))
    doubtful = {name for name, (buffer, body) in candidates.items() if not overwrites(body, buffer)} - known
    # After one walk it is known how many places there are, and which tensors need no shadow, because no element of them
    # is read in doubt.
    shadows = Shadows.of(instructions(program.body))
    first = _Walk(shadows, tally_buffer(0), doubtful, doubtful)
    first.through(program)
    tally = tally_buffer(len(first.places))
    read = {place.access.buffer.name for place in first.places if not place.repeats}
    walk = _Walk(shadows, tally, doubtful, read)
    body = walk.through(program)
    return WatchedProgram(
        replace(
            program,
            buffers=(*program.buffers, *walk.shadows(program.buffers), tally),
            body=(_zeros(tally), *body),
            outputs=(*program.outputs, Access.whole(tally)),
            cores=(),
        ),
        tuple(walk.places),
        tuple(dict.fromkeys(walk.unjudged)),
    )


Declared = Iterator[tuple[str, tuple[Buffer, tuple[Node, ...]]]]


def _declared(buffers: tuple[Buffer, ...], body: tuple[Node, ...]) -> Declared:
    """Each tensor that the program makes, and the block that makes it."""
    for buffer in buffers:
        if buffer.space is not Space.REGISTER:
            yield buffer.name, (buffer, body)
    for node in body:
        if isinstance(node, (Loop, DeviceLoop)):
            yield from _declared(node.buffers, node.body)


@dataclass
class _Walk:
    """Watches tensors of which it is in doubt whether all of them is written first.

    Attributes:
        of: the shadows of the program.
        tally: where it is counted.
        doubtful: names of the tensors whose reads are counted.
        shadowed: names of those that have a shadow.
    """

    of: Shadows
    tally: Buffer
    doubtful: set[str]
    shadowed: set[str]
    places: list[Watched] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)

    def through(self, program: Program) -> list[Node]:
        """The body of the program, watched."""
        around = self.cleared(program.buffers), self.block(program.body, ()), self.outputs(program.outputs)
        return [node for part in around for node in part]

    def block(self, nodes: tuple[Node, ...], loops: tuple[Symbol, ...]) -> list[Node]:
        found: list[Node] = []
        for node in nodes:
            if isinstance(node, Instruction):
                found += self._step(node, loops)
                continue
            body = (*self.cleared(node.buffers), *self.block(node.body, (*loops, node.symbol)))
            found.append(replace(node, body=body, buffers=(*node.buffers, *self.shadows(node.buffers))))
        return found

    def shadows(self, buffers: tuple[Buffer, ...]) -> Iterator[Buffer]:
        return (self.of.of_buffer(buffer) for buffer in buffers if buffer.name in self.shadowed)

    def cleared(self, buffers: tuple[Buffer, ...]) -> Iterator[Node]:
        """Nothing of these tensors is written yet."""
        return map(_zeros, self.shadows(buffers))

    def outputs(self, outputs: tuple[Access, ...]) -> Iterator[Node]:
        """At the end, what is returned is read."""
        for number, access in enumerate(outputs):
            if access.buffer.name in self.doubtful:
                yield self._count("return", f"output {number}", access)

    def _step(self, node: Instruction, loops: tuple[Symbol, ...]) -> Iterator[Node]:
        print_ = footprint(node)
        touched = {name: access for name, access in node.operands().items() if access.buffer.name in self.doubtful}
        line = f" at {node.location.short()}" if node.location is not None else ""
        self.unjudged += [f"{node.name}'s {name}{line}" for name in print_.unjudged if name in touched]
        for touch in print_.writes:
            rows = touch.access.indirect
            if isinstance(node, (DmaCopy, DmaCompute)) and rows is not None and rows.is_vector:
                yield self._repeats(node, touch, loops)
        for touch in print_.reads:
            if touch.access.buffer.name in self.doubtful:
                yield self._count(node.name, touch.operand, touch.access, node, touch, loops)
        yield node
        for touch in print_.writes:
            if touch.access.buffer.name in self.shadowed:
                yield MarkWritten(
                    dst=self.of.of_access(touch.access),
                    predicate=touch.predicate,
                    mask=touch.mask,
                    share=touch.share,
                    location=node.location,
                    **_others(node, touch),
                )

    def _repeats(self, node: Instruction, touch: Touch, loops: tuple[Symbol, ...]) -> Instruction:
        at = node.unrolled, node.location
        self.places.append(Watched(node.name, touch.operand, touch.access, loops, *at, repeats=True))
        count = CountRepeats(into=self._row(), src=touch.access, location=node.location)
        return replace(count, mask=touch.mask, share=touch.share, **_others(node, touch))

    def _count(
        self,
        name: str,
        operand: str,
        access: Access,
        node: Instruction | None = None,
        touch: Touch | None = None,
        loops: tuple[Symbol, ...] = (),
    ) -> Instruction:
        at = (node.unrolled, node.location) if node is not None else ((), None)
        self.places.append(Watched(name, operand, access, loops, *at))
        count = CountUnwritten(into=self._row(), src=self.of.of_access(access), location=at[1])
        if node is None or touch is None:
            return count
        return replace(count, mask=touch.mask, share=touch.share, **_others(node, touch))

    def _row(self) -> Access:
        """That of the last place."""
        return row_of(self.tally, len(self.places) - 1)


def _others(node: Instruction, touch: Touch) -> dict[str, Any]:
    """The other operands with an index of run time."""
    if touch.operand not in node.operands():
        return {}
    found = [a for name, a in node.operands().items() if name != touch.operand and a.indirect is not None]
    if len(found) > 3:
        raise not_modelled(f"findings of {node.name} with more than four indices of run time")
    return {f"other{number}": access for number, access in enumerate(found)}


def _zeros(buffer: Buffer) -> Instruction:
    return Memset(dst=Access.whole(buffer), value=0)
