"""What is in SBUF and in PSUM over the course of a program: how long each tensor is needed, and when most are.

    position   0   1   2   3   4          a tensor is needed from its first use to its last one, in the block that
    a          #########                  makes it; a loop that uses a tensor from outside needs it all the time
    b              #############
    loop               c c c              peak: a + b + c, at 2

The program is taken in the order in which it is written. A compiler may reorder it, and spill what does not fit, so a
peak above the limit is a warning and no error: what cannot fit in any order is refused (`capacity.py`).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from jnki.access.buffer import Buffer, Space
from jnki.analysis.capacity import bytes_per_partition
from jnki.analysis.finding import Finding, Severity
from jnki.isa.instruction import Instruction
from jnki.program.program import DeviceLoop, Node, Program, made_in
from jnki.target import Target

_SHOWN = 6


@dataclass(frozen=True)
class Lifetime:
    """A tensor on chip and how long it is needed.

    Attributes:
        buffer: the tensor.
        first, last: positions of the first and the last instruction that need it, in the listing's order from 0.
        size_bytes: what it takes in each of its partitions, all its blocks together.
    """

    buffer: Buffer
    first: int
    last: int
    size_bytes: int


@dataclass(frozen=True)
class Occupancy:
    """One memory of one core over the course of a program.

    Attributes:
        space: SBUF or PSUM.
        core: its number where two cores share the kernel, else None.
        lifetimes: of all its tensors, by first use.
        used_bytes: per position, bytes in use in each partition.
        peak: the first position at which most are.
        at: the instruction there.
        limit_bytes: what there is in each partition.
    """

    space: Space
    core: int | None
    lifetimes: tuple[Lifetime, ...]
    used_bytes: tuple[int, ...]
    peak: int
    at: Instruction
    limit_bytes: int

    @property
    def peak_bytes(self) -> int:
        return self.used_bytes[self.peak]

    @property
    def alive(self) -> tuple[Lifetime, ...]:
        """What is needed at the peak, the largest first."""
        there = (life for life in self.lifetimes if life.first <= self.peak <= life.last)
        return tuple(sorted(there, key=lambda life: -life.size_bytes))

    def __str__(self) -> str:
        core = f" of core {self.core}" if self.core is not None else ""
        line = f", at {self.at.location.short()}" if self.at.location is not None else ""
        share = 100 * self.peak_bytes / self.limit_bytes
        head = f"{self.space}{core}: {self.peak_bytes} of {self.limit_bytes} bytes per partition ({share:.0f} %){line}"
        return "\n".join((head, *(f"  {life.size_bytes:>8}  {life.buffer.name}" for life in self.alive)))


class OccupancyReport(tuple[Occupancy, ...]):
    """The memories of all cores; printed, a report."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "nothing on chip"


def occupancy(program: Program) -> OccupancyReport:
    """How full SBUF and PSUM are over the course of a program; of each core, where two share it."""
    if not program.cores:
        return OccupancyReport(_of_core(program.body, None, program.target))
    before, *cores = program.cores
    return OccupancyReport(
        one for number, nodes in enumerate(cores) for one in _of_core(before + nodes, number, program.target)
    )


def check_peak(program: Program) -> Iterator[Finding]:
    """Warns of memories that the program, in the order in which it is written, needs more of than there is."""
    for one in occupancy(program):
        if one.peak_bytes > one.limit_bytes:
            alive = one.alive
            more = f" and {len(alive) - _SHOWN} more" if len(alive) > _SHOWN else ""
            each = ", ".join(f"'{life.buffer.name}' {life.size_bytes}" for life in alive[:_SHOWN])
            core = f" on core {one.core}" if one.core is not None else ""
            yield Finding(
                f"capacity.{one.space}_peak",
                Severity.WARNING,
                f"the tensors that are needed at the same time{core} do not fit in {one.space}",
                given=f"{one.peak_bytes} bytes per partition: {each}{more}",
                allowed=f"{one.limit_bytes} on {program.target.name}; a compiler may reorder the program, or spill",
                location=one.at.location,
            )


def _of_core(nodes: tuple[Node, ...], core: int | None, target: Target) -> Iterator[Occupancy]:
    every: list[Instruction] = []
    spans = _spans(nodes, every)
    for space, limit in (
        (Space.SBUF, target.sbuf_bytes_per_partition),
        (Space.PSUM, target.psum_bytes_per_partition),
    ):
        lives = tuple(
            Lifetime(
                buffer, first, last, math.prod(buffer.shape[: buffer.partition_axis]) * bytes_per_partition(buffer)
            )
            for buffer, (first, last) in spans.items()
            if buffer.space is space
        )
        if lives:
            used = _used(lives, len(every), target)
            peak = used.index(max(used))
            yield Occupancy(space, core, lives, tuple(used), peak, every[peak], limit)


Spans = dict[Buffer, tuple[int, int]]


def _spans(nodes: tuple[Node, ...], every: list[Instruction]) -> Spans:
    """From tensors to the first and the last position that needs them; `every` gets the instructions in order."""
    found: dict[str, tuple[Buffer, int, int]] = {}

    def add(buffer: Buffer, first: int, last: int) -> None:
        known, start, end = found.get(buffer.name, (buffer, first, last))
        found[buffer.name] = (known, min(start, first), max(end, last))

    def step(instruction: Instruction) -> None:
        for operand in instruction.operands().values():
            for access in operand.accesses():
                if access.buffer.space.on_chip:
                    add(access.buffer, len(every), len(every))
        every.append(instruction)

    for node in nodes:
        if isinstance(node, Instruction):
            step(node)
            continue
        start = len(every)
        if isinstance(node, DeviceLoop):
            step(node.head)
        inner = _spans(node.body, every)
        own = set(made_in(node))
        for buffer, (first, last) in inner.items():
            if buffer.name in own:
                add(buffer, first, last)
            else:
                add(buffer, start, len(every) - 1)
    return {buffer: (first, last) for buffer, first, last in found.values()}


def _used(lives: tuple[Lifetime, ...], positions: int, target: Target) -> list[int]:
    """Bytes in use at each position. Tensors with a place of their own may share it."""
    change = [0] * (positions + 1)
    placed = []
    for life in lives:
        if life.buffer.places:
            placed.append(life)
        else:
            change[life.first] += life.size_bytes
            change[life.last + 1] -= life.size_bytes
    used, now = [], 0
    for step in change[:positions]:
        now += step
        used.append(now)
    if placed:
        edges = sorted({0, *(life.first for life in placed), *(life.last + 1 for life in placed)} - {positions})
        for start, end in zip(edges, (*edges[1:], positions)):
            there = _union(i for life in placed if life.first <= start <= life.last for i in _intervals(life, target))
            for position in range(start, end):
                used[position] += there
    return used


def _intervals(life: Lifetime, target: Target) -> Iterator[tuple[int, int]]:
    size = bytes_per_partition(life.buffer)
    for place in life.buffer.places:
        start = (place.bank or 0) * target.psum_bank_bytes + place.byte
        yield start, start + size


def _union(intervals: Iterable[tuple[int, int]]) -> int:
    total, reached = 0, 0
    for start, end in sorted(intervals):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
