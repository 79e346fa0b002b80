"""What a command line asks to be told of each kernel that its program calls."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path

from jnki.analysis.check import check
from jnki.analysis.finding import Finding, Findings, Severity
from jnki.analysis.occupancy import occupancy
from jnki.costs.report import report
from jnki.errors import RuleError
from jnki.kernel.observed import observing
from jnki.program.program import Program
from jnki.view import view


@contextmanager
def answering(options: Sequence[str], page: str | None = None) -> Iterator[None]:
    """Inside, each kernel that is recorded is told of on standard error.

    Args:
        options: `--listing`, `--check`, `--report`.
        page: where to write the pictures of the first kernel; those of the others get a number in their name.

    Raises:
        SystemExit: at the end, with status 1, where `--check` has found a warning or an error in a program that ended
            well.
    """
    grave: list[Finding] = []
    pages = map(partial(_numbered, Path(page)), count(1)) if page is not None else iter(())

    def told(name: str, found: Program | RuleError) -> None:
        if "--check" in options:
            findings = Findings([Finding.of(found)]) if isinstance(found, RuleError) else check(found)
            grave.extend(findings.at_least(Severity.WARNING))
            _print(f"kernel {name}: {findings}")
        if isinstance(found, Program):
            for path in islice(pages, 1):
                _print(f"kernel {name}: {view(found).save(path)}")
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


def _numbered(page: Path, number: int) -> Path:
    return page if number == 1 else page.with_stem(f"{page.stem}_{number}")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
