"""The recorded form of a kernel: a small tree of frozen values, and its text.

One line per instruction, loops indented, every buffer declared where it is made:

    kernel copy[2] on trn2
      in x: hbm float32[256, 512]
      out y: hbm float32[256, 512]
      for i0 in 2:  # affine_range
        tile: sbuf float32[128, 512]
        tile = dma_copy(src=x(65536*i0: [512,128] [1,512]))   # kernel.py:12 dge=hwdge
        y(65536*i0: [512,128] [1,512]) = dma_copy(src=tile)   # kernel.py:13 dge=hwdge
      return y
"""

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.buffer import Buffer
from jnki.isa.instruction import Instruction
from jnki.isa.registers.loop_head import LoopHead
from jnki.source import Location
from jnki.target import Target

_COMMENT_COLUMN = 72
_TILES_SHOWN = 4


class LoopKind(enum.Enum):
    """Who wrote the loop; lowering treats all alike, rules about parallel iterations do not.

    `DEVICE` is a loop on the device between numbers that are known. `FOUND` is none of the source's: a long run of
    instructions that repeat was recorded, and is one again.
    """

    AFFINE = "affine_range"
    SEQUENTIAL = "sequential_range"
    GRID = "program_id"
    DEVICE = "fori_loop"
    FOUND = "re-rolled"


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


@dataclass(frozen=True)
class DeviceLoop:
    """A body that runs as often as its head says when the kernel runs, perhaps not at all.

    Attributes:
        symbol: what a fault tells the iteration by. No operand depends on it: the body finds its index in a register.
        head: the instruction that decides, before each iteration, whether there is one.
        body: what one iteration does.
        buffers: buffers that each iteration makes anew, the index register among them.
        location: the user's line.
    """

    symbol: Symbol
    head: LoopHead
    body: tuple["Node", ...]
    buffers: tuple[Buffer, ...] = ()
    location: Location | None = field(default=None, compare=False, repr=False)


Node = Instruction | Loop | DeviceLoop


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
        cores: where two cores share it, as it was recorded, what comes before both and what each of them does; `body`
            is all of it together.
    """

    name: str
    target: Target
    grid: tuple[int, ...]
    parameters: tuple[Parameter, ...]
    buffers: tuple[Buffer, ...]
    body: tuple[Node, ...]
    outputs: tuple[Access, ...]
    cores: tuple[tuple[Node, ...], ...] = field(default=(), compare=False, repr=False)

    # Which descriptor generation each DMA gets, and why: `jnki.analysis` reads programs and registers it here.
    report: ClassVar[Callable[["Program"], str]]

    @property
    def may_fault(self) -> bool:
        """Whether any instruction can fault: a program without dynamic addressing cannot, and pays nothing."""
        return any(instruction.may_fault for instruction in instructions(self.body))

    def __str__(self) -> str:
        return listing(self)


def instructions(nodes: tuple[Node, ...]) -> Iterator[Instruction]:
    """All instructions in program order, heads of loops among them, each once however often its loop runs."""
    for node in nodes:
        match node:
            case Loop():
                yield from instructions(node.body)
            case DeviceLoop():
                yield node.head
                yield from instructions(node.body)
            case _:
                yield node


def with_loops(
    nodes: tuple[Node, ...], around: tuple[Loop | DeviceLoop, ...] = ()
) -> Iterator[tuple[Instruction, tuple[Loop | DeviceLoop, ...]]]:
    """As `instructions`, each with the loops around it, outermost first; the head of a loop stands inside of it."""
    for node in nodes:
        match node:
            case Loop():
                yield from with_loops(node.body, (*around, node))
            case DeviceLoop():
                yield node.head, (*around, node)
                yield from with_loops(node.body, (*around, node))
            case _:
                yield node, around


def made_in(loop: Loop | DeviceLoop) -> Iterator[str]:
    """Names of the buffers that the loop, or one in it, makes."""
    yield from (buffer.name for buffer in loop.buffers)
    for node in loop.body:
        if isinstance(node, (Loop, DeviceLoop)):
            yield from made_in(node)


def listing(program: Program) -> str:
    """The program as text."""
    grid = f"[{', '.join(map(str, program.grid))}]" if program.grid else ""
    lines = [f"kernel {program.name}{grid} on {program.target.name}"]
    outputs = {access.buffer for access in program.outputs}
    for parameter in program.parameters:
        role = "inout" if parameter.mutable else "in"
        lines.append(f"  {role} {_declaration(parameter.buffer)}")
    for buffer in program.buffers:
        role = "out " if buffer in outputs else ""
        lines.append(f"  {role}{_declaration(buffer)}")
    lines.extend(_block(program.body, "  ", program.target))
    lines.append("  return " + ", ".join(map(str, program.outputs)))
    return "\n".join(lines)


def _declaration(buffer: Buffer) -> str:
    shape = ", ".join(
        f"par_dim({n})" if axis == buffer.partition_axis and axis else str(n) for axis, n in enumerate(buffer.shape)
    )
    return f"{buffer.name}: {buffer.space} {buffer.dtype}[{shape}]{_places(buffer)}"


def _places(buffer: Buffer) -> str:
    """Where a buffer that is allocated by hand is: its physical tiles, the first few of them."""
    tiles = list(dict.fromkeys(map(str, buffer.places)))
    more = f" and {len(tiles) - _TILES_SHOWN} more" if len(tiles) > _TILES_SHOWN else ""
    return f" at {', '.join(tiles[:_TILES_SHOWN])}{more}" if tiles else ""


def _block(nodes: tuple[Node, ...], indent: str, target: Target) -> Iterator[str]:
    for node in nodes:
        match node:
            case Loop():
                yield f"{indent}for {node.symbol} in {node.symbol.trips}:  # {node.kind.value}"
                for buffer in node.buffers:
                    yield f"{indent}  {_declaration(buffer)}"
                yield from _block(node.body, indent + "  ", target)
            case DeviceLoop():
                most = f", at most {node.head.most} times" if node.head.most is not None else ""
                yield f"{indent}{node.head.listing()}:  # {node.head.name}{most}"
                for buffer in node.buffers:
                    yield f"{indent}  {_declaration(buffer)}"
                yield from _block(node.body, indent + "  ", target)
            case _:
                text = indent + node.listing()
                notes = []
                if node.location is not None:
                    notes.append(node.location.short())
                notes.extend(node.remarks(target))
                yield f"{text:<{_COMMENT_COLUMN}}  # {' '.join(notes)}" if notes else text
