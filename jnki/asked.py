"""What a command line asks to be told of each kernel that its program calls."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from jnki.analysis.check import check
from jnki.analysis.finding import Finding, Findings, Severity
from jnki.analysis.occupancy import occupancy
from jnki.costs.report import report
from jnki.errors import RuleError
from jnki.kernel.observed import observing
from jnki.program.program import Program

OPTIONS = {
    "--listing": "print the program of each kernel",
    "--check": "print what is found in each kernel; status 1 where that is a warning or an error",
    "--report": "print how full the memories are, what DMAs move, and a lower bound of the time",
}


@contextmanager
def answering(options: Sequence[str]) -> Iterator[None]:
    """Inside, each kernel that is recorded is told of on standard error.

    Raises:
        SystemExit: at the end, with status 1, where `--check` has found a warning or an error in a program that ended
            well.
    """
    grave: list[Finding] = []

    def told(name: str, found: Program | RuleError) -> None:
        if "--check" in options:
            findings = Findings([Finding.of(found)]) if isinstance(found, RuleError) else check(found)
            grave.extend(findings.at_least(Severity.WARNING))
            _print(f"kernel {name}: {findings}")
        if isinstance(found, Program):
            for option, text in _TEXTS.items():
                if option in options:
                    _print(text(found))

    with observing(told):
        try:
            yield
        except SystemExit as end:
            if end.code not in (None, 0) or not grave:
                raise
    if grave:
        raise SystemExit(1)


_TEXTS: dict[str, Callable[[Program], str]] = {
    "--listing": str,
    "--report": lambda program: f"{report(program)}\n{occupancy(program)}",
}


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
