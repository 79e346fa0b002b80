"""Places in HBM that both cores of a launch use, one of them writing, with nothing that says who comes first.

    core 0:  out[0:64]  = a        core 1:  out[32:96] = b        they meet at [32]
    core_barrier(out)

It is a finding and no error: both may write the same, and a part that depends on chance may never be looked at. jnki
lets core 0 go first. Only what a core does between two places where it waits for the other one (a `core_barrier`,
whatever tensor it names, or a `sendrecv`) can meet.
"""

import itertools
from dataclasses import dataclass

from jnki.access.access import Access
from jnki.access.affine import Symbol
from jnki.access.buffer import Space
from jnki.analysis.meeting import meeting
from jnki.analysis.verdict import Use, Verdict
from jnki.program.program import Node, Program, instructions
from jnki.program.segments import segments

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
    for one, other in zip(*(segments(core) for core in program.cores[1:])):
        here, there = _uses(one.nodes), _uses(other.nodes)
        for name in here.keys() & there.keys():
            for first, second in itertools.product(here[name], there[name]):
                key = (name, _line(first), _line(second))
                known = found.get(key)
                if known is None or not known.is_certain:
                    race = _race(first, second)
                    if race is not None and (known is None or race.is_certain):
                        found[key] = race
    return tuple(found.values())


def _race(first: Use, second: Use) -> Race | None:
    if not (first.is_write or second.is_write) or _are_apart(first.access, second.access):
        return None
    met = meeting(_CORE, first, second)
    return None if met.verdict is Verdict.DISJOINT else Race(first, second, met.verdict is Verdict.CLASH, met.location)


def _are_apart(one: Access, other: Access) -> bool:
    """Whether one ends before the other begins: true of most, and quickly seen."""
    reached, there = _reach(one), _reach(other)
    return reached is not None and there is not None and (reached[1] <= there[0] or there[1] <= reached[0])


def _reach(access: Access) -> tuple[int, int] | None:
    """The first byte of an access, and the one behind its last; None where that is not known yet."""
    if access.symbols or access.indirect is not None or any(dim.step < 0 for dim in access.dims):
        return None
    start = access.offset.constant
    last = start + sum(dim.step * (dim.count - 1) for dim in access.dims)
    size = access.dtype.size_bytes
    return start * size, (last + 1) * size


def _line(use: Use) -> object:
    """The line of the source that it stands in, or itself."""
    return (use.instruction.location or id(use.instruction), use.is_write)


def _uses(nodes: tuple[Node, ...]) -> dict[str, list[Use]]:
    """What these instructions do to each tensor in HBM."""
    found: dict[str, dict[Use, None]] = {}
    for instruction in instructions(nodes):
        every = [(a, True) for a in instruction.written()] + [(a, False) for a in instruction.reads()]
        for access, is_write in every:
            if access.buffer.space is Space.HBM:
                use = Use(instruction, access, is_write, instruction.is_accumulation)
                found.setdefault(access.buffer.name, {})[use] = None
    return {name: list(uses) for name, uses in found.items()}


def _told(core: int, use: Use) -> str:
    at = use.instruction.location
    line = f" ({at.short()})" if at is not None else ""
    return f"the {'write' if use.is_write else 'read'} of core {core}{line}"
