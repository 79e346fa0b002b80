"""All that is found in a program, by one pass after the other."""

from collections.abc import Callable, Iterable

from jnki.analysis.dma_advice import check_runs
from jnki.analysis.finding import Finding, Findings
from jnki.analysis.occupancy import check_peak
from jnki.analysis.repeats import check_repeats
from jnki.analysis.unordered import check_parallel, check_races
from jnki.analysis.unused import check_dead_stores, check_unused
from jnki.program.program import Program

Pass = Callable[[Program], Iterable[Finding]]

PASSES: tuple[Pass, ...] = (
    check_peak,
    check_parallel,
    check_races,
    check_repeats,
    check_unused,
    check_dead_stores,
    check_runs,
)


def check(program: Program) -> Findings:
    """What is found in a program that broke no rule while it was recorded; of a line, each thing once."""
    found: dict[object, Finding] = {}
    for look in PASSES:
        for finding in look(program):
            found.setdefault((finding.rule, finding.location or finding), finding)
    return Findings(found.values())
