"""What a failed check says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jnki.memory import Fault
from jnki.testing.literals import literal, number
from jnki.testing.tolerance import Difference


class CheckFailure(AssertionError):
    """A check has found a wrong case. The text is the report.

    Attributes:
        cases: numbers of the cases that are wrong, in order.
        failures: what is wrong with the first few.
        token: `seed:case:domains` of the first one, for `testing.replay`.
        shrunk: the arguments of the simplest failing case that was found, or None.
    """

    def __init__(
        self,
        text: str,
        *,
        cases: Sequence[int] = (),
        failures: Sequence["Failure"] = (),
        token: str = "",
        shrunk: Any = None,
    ):
        super().__init__(text)
        self.cases, self.failures, self.token, self.shrunk = list(cases), list(failures), token, shrunk


class VacuousCheck(AssertionError):
    """A check cannot fail: it would accept a result that has nothing to do with the arguments."""


@dataclass(frozen=True)
class Failure:
    """What is wrong with one case.

    Attributes:
        case: its number.
        differences: outputs that are not as expected.
        fault: a line about a fault that is missing, or wrong, or that nobody expects; empty where faults are right.
    """

    case: int
    differences: tuple[Difference, ...] = ()
    fault: str = ""
    remark: str = ""

    def lines(self, outputs: int) -> list[str]:
        said = [self.fault] if self.fault else []
        said += [describe(difference, outputs) for difference in self.differences]
        return [f"  case {self.case}: {line}" for line in (*said, *([self.remark] if self.remark else []))]


def describe(difference: Difference, outputs: int) -> str:
    """The first element that differs, how many do, and how far."""
    name = "output" if outputs == 1 else f"output{difference.output}"
    where = f"{name}[{', '.join(map(str, difference.place))}]"
    text = f"{where}: expected {number(difference.expected)}, got {number(difference.actual)}"
    if difference.ulps is not None:
        text += f", {difference.ulps:,} ulps apart"
    text += f"; {difference.count:,} of {difference.size:,} elements differ"
    if difference.largest_ulps is not None and difference.count > 1:
        text += f", by up to {difference.largest_ulps:,} ulps"
    return text


def fault_line(fault: Fault, expected: str) -> str:
    """What a case's fault says, beside what was expected: empty where that is nothing."""
    details = fault.details()
    if not details:
        return f"no fault; {expected}"
    found = details[0]
    line = f"fault: row {found.row} of '{found.site.operand}' in {found.site.instruction} has row index {found.index}, "
    line += f"out of bounds for axis {found.site.axis} of tensor '{found.site.tensor}' with size {found.site.axis_size}"
    if found.site.location is not None:
        line += f" ({found.site.location.short()})"
    return f"{line}; {expected}"


@dataclass
class Report:
    """The parts of the text, in order."""

    headline: str
    subject: str
    failures: list[Failure] = field(default_factory=list)
    cases: list[int] = field(default_factory=list)
    outputs: int = 1
    shrunk: list[str] = field(default_factory=list)
    replay: str = ""
    count: int = 0

    def text(self) -> str:
        lines = [self.headline, f"  {self.subject}"]
        for failure in self.failures:
            lines += failure.lines(self.outputs)
        rest = self.cases[len(self.failures) :]
        if rest:
            shown = ", ".join(map(str, rest[:8])) + (", ..." if len(rest) > 8 else "")
            lines.append(f"  and {self.count - len(self.failures):,} more: {shown}")
        lines += self.shrunk
        if self.replay:
            lines += ["to run this case alone:", f"  {self.replay}"]
        return "\n".join(lines)


def literals(names: Sequence[str], arrays: Sequence[Any]) -> list[str]:
    """The arguments of a case as statements, indented."""
    return [f"    {line}" for name, a in zip(names, arrays) for line in literal(_safe(name), np.asarray(a)).split("\n")]


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c == "_" else "_" for c in name.replace("']", "").replace("]", "")).rstrip("_")
