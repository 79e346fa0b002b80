"""What may come in any order on hardware and gives another result then: parallel iterations, instances and cores.

Where it is certain that iterations depend on each other, recording refuses the kernel (`dependencies.py`); here is
what that leaves.
"""

from collections.abc import Iterator

from jnki.analysis.dependencies import Judged, judged
from jnki.analysis.finding import Finding, Severity
from jnki.analysis.races import races
from jnki.analysis.verdict import Use, Verdict
from jnki.program.program import LoopKind, Program


def check_parallel(program: Program) -> Iterator[Finding]:
    """Warns of instances that read what others write, and advises of iterations that may depend on each other."""
    for pair in judged(program.body, instances_read=False):
        match pair.meeting.verdict:
            case Verdict.CLASH:
                yield _unordered(pair)
            case Verdict.UNDECIDED:
                yield _undecided(pair)


def check_races(program: Program) -> Iterator[Finding]:
    """Warns of places in HBM that two cores use, one of them writing, without waiting for each other."""
    for race in races(program):
        yield Finding(
            "ordering.cores",
            Severity.WARNING if race.is_certain else Severity.ADVICE,
            "two cores use one place, and nothing says who comes first",
            given=str(race),
            allowed="a core_barrier between them",
            location=race.second.instruction.location,
        )


def _unordered(pair: Judged) -> Finding:
    i, met = pair.loop.symbol, pair.meeting
    where = f" at {list(met.location)}" if met.location is not None else ""
    return Finding(
        "ordering.instances",
        Severity.WARNING,
        f"instances of the launch grid use tensor '{pair.second.access.buffer.name}' in no order",
        given=f"{_told(pair.first)} in {i}={met.first} and {_told(pair.second)} in {i}={met.second} meet{where}",
        allowed="instances that share nothing but what all of them only read",
        location=pair.second.instruction.location,
    )


def _undecided(pair: Judged) -> Finding:
    buffer = pair.second.access.buffer
    what = "instances of the launch grid" if pair.loop.kind is LoopKind.GRID else f"iterations of {pair.loop.symbol}"
    return Finding(
        "ordering.undecided",
        Severity.ADVICE,
        f"{what} may depend on each other through tensor '{buffer.name}'",
        given=f"{_told(pair.first)} and {_told(pair.second)}: an index or a mask of run time decides",
        allowed="iterations that never meet there; nl.sequential_range, if they may",
        location=pair.second.instruction.location,
    )


def _told(use: Use) -> str:
    at = use.instruction.location
    line = f" ({at.short()})" if at is not None else ""
    return f"the {'write' if use.is_write else 'read'} by {use.instruction.name}{line}"
