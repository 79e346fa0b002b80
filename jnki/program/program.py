"""The recorded form of a kernel: a small tree of frozen values."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.buffer import Buffer
from jnki.isa.instruction import Instruction
from jnki.source import Location
from jnki.target import Target


class LoopKind(enum.Enum):
    """Who wrote the loop; lowering treats all alike, rules about parallel iterations do not."""

    AFFINE = "affine_range"
    SEQUENTIAL = "sequential_range"
    GRID = "program_id"


@dataclass(frozen=True)
class Loop:
    """A body that runs once per value of `symbol`.

    Attributes:
        symbol: the loop index, 0, 1, ..., trips - 1.
        kind: how it was written.
        body: what one iteration does.
        buffers: buffers that each iteration makes anew.
        location: the user's line.
    """

    symbol: Symbol
    kind: LoopKind
    body: tuple["Node", ...]
    buffers: tuple[Buffer, ...] = ()
    location: Location | None = field(default=None, compare=False, repr=False)


Node = Instruction | Loop


@dataclass(frozen=True)
class Parameter:
    """An array argument of a kernel: an HBM tensor, and whether the kernel may write it."""

    buffer: Buffer
    mutable: bool = False


@dataclass(frozen=True)
class Program:
    """A kernel recorded for one set of shapes, types and static arguments. It is hashable and prints as a listing.

    Attributes:
        name: the kernel's name.
        target: what it was checked against.
        grid: sizes of the SPMD launch grid, empty without one.
        parameters: array arguments, in order.
        buffers: buffers that the kernel makes outside of any loop.
        body: what it does.
        outputs: what it returns, in order.
    """

    name: str
    target: Target
    grid: tuple[int, ...]
    parameters: tuple[Parameter, ...]
    buffers: tuple[Buffer, ...]
    body: tuple[Node, ...]
    outputs: tuple[Access, ...]

    @property
    def may_fault(self) -> bool:
        """Whether any instruction can fault: a program without dynamic addressing cannot, and pays nothing."""
        return any(instruction.may_fault for instruction in instructions(self.body))

    def report(self) -> str:
        """Which descriptor generation each DMA gets, and why."""
        from jnki.program.report import report

        return report(self)

    def __str__(self) -> str:
        from jnki.program.listing import listing

        return listing(self)


def instructions(nodes: tuple[Node, ...]) -> Iterator[Instruction]:
    """All instructions in program order, each once however often its loop runs."""
    for node in nodes:
        match node:
            case Loop():
                yield from instructions(node.body)
            case _:
                yield node
