"""What each DMA of a program moves, and in how many pieces."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.analysis.dma_advice import run_length
from jnki.costs.counted import with_times
from jnki.isa.dma.dma_compute import DmaCompute
from jnki.isa.dma.dma_copy import DmaCopy
from jnki.isa.dma.dma_transpose import DmaTranspose
from jnki.isa.dma.sendrecv import SendRecv
from jnki.isa.instruction import Instruction
from jnki.program.program import Program
from jnki.source import Location
from jnki.target import Target

Dma = DmaCopy | DmaCompute | DmaTranspose | SendRecv


@dataclass(frozen=True)
class Transfer:
    """One DMA of the listing, once.

    Attributes:
        name: the instruction's.
        location: the user's line.
        times: how often it runs; None where that is known at run time only.
        reads: of one run, each tensor that is read, as `memory:name`, and how many bytes; without the index tiles.
        destination: the tensor that is written, in the same way.
        written_bytes: of one run.
        hbm_bytes: how many of both are in HBM.
        source_run_bytes, destination_run_bytes: how many follow each other without a gap, at least.
        descriptors: pieces without a gap on either side; None where that is no matter of runs (a transpose).
        dge: the mode of descriptor generation, where the instruction has one, and why it is that.
        is_most: whether a mask, or rows that may be skipped, can make it less.
    """

    name: str
    location: Location | None
    times: int | None
    reads: tuple[tuple[str, int], ...]
    destination: str
    written_bytes: int
    hbm_bytes: int
    source_run_bytes: int
    destination_run_bytes: int
    descriptors: int | None
    dge: tuple[str, str] | None
    is_most: bool

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensors that are read, each once."""
        return tuple(dict.fromkeys(name for name, _ in self.reads))

    @property
    def read_bytes(self) -> int:
        """What is read in one run."""
        return sum(size for _, size in self.reads)

    @property
    def moved_bytes(self) -> int:
        """What goes through the engines in one run: a byte that is read and written goes through once."""
        return max(self.read_bytes, self.written_bytes)

    @property
    def total_bytes(self) -> int:
        """In all runs; 0 where it is not known how many there are."""
        return self.moved_bytes * (self.times or 0)


def transfers(program: Program) -> tuple[Transfer, ...]:
    """The DMAs of a program, in its order."""
    return tuple(
        _transfer(instruction, times, program.target)
        for instruction, times in with_times(program.body)
        if isinstance(instruction, Dma)
    )


def _transfer(instruction: Dma, times: int | None, target: Target) -> Transfer:
    dst = instruction.dst
    sources = tuple(_sources(instruction))
    read = (*sources, dst) if instruction.reads_destination else sources
    return Transfer(
        name=instruction.name,
        location=instruction.location,
        times=times,
        reads=tuple((_named(access), _bytes(access)) for access in read),
        destination=_named(dst),
        written_bytes=_bytes(dst),
        hbm_bytes=sum(_bytes(access) for access in (*read, dst) if access.buffer.space is Space.HBM),
        source_run_bytes=min(run_length(a) * a.dtype.size_bytes for a in sources),
        destination_run_bytes=run_length(dst) * dst.dtype.size_bytes,
        descriptors=None if isinstance(instruction, DmaTranspose) else max(pieces(a, dst) for a in sources),
        dge=_dge(instruction, target),
        is_most=instruction.mask is not None or instruction.has_offset,
    )


def pieces(src: Access, dst: Access) -> int:
    """How many pieces of a copy have no gap on either side: a piece ends where a run of either one ends.

    src runs of 6    |-----|-----|-----|-----|
    dst runs of 4    |---|---|---|---|---|---|      24 / 6 + 24 / 4 - 24 / 12 = 8 pieces
    """
    one, other, size = run_length(src), run_length(dst), min(src.size, dst.size)
    if size == 0:
        return 0
    return -(-size // one) + -(-size // other) - -(-size // math.lcm(one, other))


def _sources(instruction: Instruction) -> Iterator[Access]:
    for name, access in instruction.operands().items():
        if name not in instruction.writes and name != "other_src":
            yield access


def _bytes(access: Access) -> int:
    return access.size * access.dtype.size_bytes


def _named(access: Access) -> str:
    return f"{access.buffer.space}:{access.buffer.name}"


def _dge(instruction: Dma, target: Target) -> tuple[str, str] | None:
    if not isinstance(instruction, DmaCopy):
        return None
    mode, reason = instruction.chosen_dge(target)
    return mode.name, reason
