"""All that is found in a program, by one pass after the other."""

from collections.abc import Callable, Iterable

from jnki.analysis.finding import Finding, Findings
from jnki.program.program import Program

Pass = Callable[[Program], Iterable[Finding]]

PASSES: tuple[Pass, ...] = ()


def check(program: Program) -> Findings:
    """What is found in a program that broke no rule while it was recorded."""
    return Findings(finding for look in PASSES for finding in look(program))
