"""Places in HBM that both cores of a launch use, one of them writing, with nothing that says who comes first.

    core 0:  out[0:64]  = a        core 1:  out[32:96] = b        they meet at [32]
    core_barrier(out)

It is a finding and no error: both may write the same, and a part that depends on chance may never be looked at. jnki
lets core 0 go first, or both in step where they do the same (`jnki.record.merge`). Only what a core does between two
places where it waits for the other one (a `core_barrier`, whatever tensor it names, or a `sendrecv`) can meet.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.buffer import Space
from jnki.analysis.meeting import meeting
from jnki.analysis.verdict import Use, Verdict
from jnki.program.program import Node, Program, instructions
from jnki.program.stretches import Stretch, stretches
from jnki.source import Location

# The question that `meeting` answers, of two iterations of a loop, asked of two cores.
_CORE = Symbol("core", 2)


@dataclass(frozen=True)
class Race:
    """Two uses of one tensor that no waiting orders.

    Attributes:
        first, second: what core 0 and core 1 do.
        is_certain: whether they do meet; else an index of run time decides.
        place: where they meet first, an index for each axis of the tensor; None where it is not known.
    """

    first: Use
    second: Use
    is_certain: bool
    place: tuple[int, ...] | None

    def __str__(self) -> str:
        name = self.first.access.buffer.name
        where = f" at {list(self.place)}" if self.place is not None else ""
        does = "meet" if self.is_certain else "may meet"
        return f"tensor '{name}': {_told(0, self.first)} and {_told(1, self.second)} {does}{where}"


def races(program: Program) -> tuple[Race, ...]:
    """Every pair of uses of one tensor in HBM that may meet, by one core each, and that no waiting orders.

    Of all pairs that two lines of the source make, the first one is told, rather one that is certain. A program of one
    core has none.
    """
    if not program.cores:
        return ()
    found: dict[object, Race] = {}
    _, one, other = program.cores
    for stretch in stretches(one, other):
        here, there = _lines(stretch.one), _lines(stretch.other)
        for (first, mine), (second, theirs) in itertools.product(here.items(), there.items()):
            if first.tensor == second.tensor and (first.is_write or second.is_write):
                race = _race(mine, theirs, stretch, found.get((first, second)))
                if race is not None:
                    found[first, second] = race
    return tuple(found.values())


@dataclass(frozen=True)
class _Line:
    """A line of the source, or an instruction of none, and what it does to which tensor."""

    where: Location | int
    tensor: str
    is_write: bool


def _lines(nodes: tuple[Node, ...]) -> dict[_Line, list[Use]]:
    """What these instructions do to tensors in HBM, each use once."""
    found: dict[_Line, dict[Use, None]] = {}
    for instruction in instructions(nodes):
        every = [(a, True) for a in instruction.written()] + [(a, False) for a in instruction.reads()]
        for access, is_write in every:
            if access.buffer.space is Space.HBM:
                line = _Line(instruction.location or id(instruction), access.buffer.name, is_write)
                use = Use(instruction, access, is_write, instruction.is_accumulation)
                found.setdefault(line, {})[use] = None
    return {line: list(uses) for line, uses in found.items()}


def _race(mine: list[Use], theirs: list[Use], stretch: Stretch, known: Race | None) -> Race | None:
    """The first pair that meets, else the first one that may; `known` where that is as good."""
    if known is not None and known.is_certain:
        return known
    starts, ends = np.array([_reach(use.access) for use in theirs]).T
    for first in mine:
        start, end = _reach(first.access)
        for number in np.flatnonzero((starts < end) & (start < ends)):
            second = theirs[number]
            met = meeting(_CORE, first, second, stretch.shared)
            if met.verdict is Verdict.CLASH and stretch.is_exact:
                return Race(first, second, True, met.location)
            if met.verdict is not Verdict.DISJOINT and known is None:
                known = Race(first, second, False, None)
    return known


def _reach(access: Access) -> tuple[float, float]:
    """The first byte of an access, and the one behind its last, as far as they are known."""
    if access.symbols or access.indirect is not None or any(dim.step < 0 for dim in access.dims):
        return -math.inf, math.inf
    start, size = access.offset.constant, access.dtype.size_bytes
    last = start + sum(dim.step * (dim.count - 1) for dim in access.dims)
    return start * size, (last + 1) * size


def _told(core: int, use: Use) -> str:
    at = use.instruction.location
    line = f" ({at.short()})" if at is not None else ""
    return f"the {'write' if use.is_write else 'read'} of core {core}{line}"
