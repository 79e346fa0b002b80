"""What is found about a kernel, as values: a rule, how grave it is, and where."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from jnki.errors import RuleError
from jnki.source import Location


class Severity(enum.IntEnum):
    """How grave a finding is, the gravest last.

    `ADVICE`: the result is right and hardware would take longer than it needs. `WARNING`: the result hangs on something
    that the hardware does not promise, or on nothing. `ERROR`: the kernel breaks a rule.
    """

    ADVICE = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One thing that a kernel does and its author may not want.

    Attributes:
        rule: its name, such as `capacity.sbuf`.
        severity: how grave it is.
        message: what is the matter, in words.
        given: what the kernel does.
        allowed: what it could do instead.
        location: the user's line, where there is one.
        iterations: the loop indices at which it is so, by name; empty where it always is.
    """

    rule: str
    severity: Severity
    message: str
    given: str = ""
    allowed: str = ""
    location: Location | None = None
    iterations: tuple[tuple[str, int], ...] = ()

    @staticmethod
    def of(error: RuleError) -> "Finding":
        """The finding that a kernel breaks a rule."""
        return Finding(error.rule, Severity.ERROR, error.message, error.given, error.allowed, error.location)

    def __str__(self) -> str:
        lines = [f"{self.severity}: {self.rule}: {self.message}"]
        if self.given:
            lines.append(f"  given:   {self.given}")
        if self.allowed:
            lines.append(f"  allowed: {self.allowed}")
        if self.iterations:
            lines.append(f"  in       {', '.join(f'{name}={number}' for name, number in self.iterations)}")
        if self.location is not None:
            lines.append(f"  at {self.location.describe()}")
        return "\n".join(lines)


class Findings(tuple[Finding, ...]):
    """Findings, the gravest first; printed, a report."""

    __slots__ = ()

    def __new__(cls, found: Iterable[Finding] = ()) -> Self:
        # Stable: findings of one severity stay in the order of the program.
        return super().__new__(cls, sorted(found, key=lambda finding: -finding.severity))

    def of(self, rule: str) -> "Findings":
        """Those of one rule, or of a group of rules: `of("capacity")` has `capacity.sbuf`."""
        return Findings(f for f in self if f.rule == rule or f.rule.startswith(rule + "."))

    def at_least(self, severity: Severity) -> "Findings":
        """Those that are as grave as this, or graver."""
        return Findings(f for f in self if f.severity >= severity)

    def raise_if_any(self, severity: Severity = Severity.WARNING) -> None:
        """Raises the gravest finding that is at least so grave; the others are notes of the exception.

        Raises:
            RuleError: named as the finding is.
        """
        grave = self.at_least(severity)
        if grave:
            first, *others = grave
            error = RuleError(first.rule, first.message, given=first.given, allowed=first.allowed, at=first.location)
            for other in others:
                error.add_note(str(other))
            raise error

    def __str__(self) -> str:
        if not self:
            return "nothing found"
        counts = ((s, sum(f.severity is s for f in self)) for s in sorted(Severity, reverse=True))
        head = ", ".join(f"{number} {severity}{_plural(severity, number)}" for severity, number in counts if number)
        return "\n".join((head, *map(str, self)))

    def __repr__(self) -> str:
        return f"<Findings: {str(self).splitlines()[0]}>"


def _plural(severity: Severity, number: int) -> str:
    return "" if number == 1 or severity is Severity.ADVICE else "s"
