"""What a kernel can be asked about itself, without running it."""

from abc import abstractmethod
from typing import Any

from jnki.analysis.check import check
from jnki.analysis.finding import Finding, Findings
from jnki.analysis.occupancy import OccupancyReport, occupancy
from jnki.costs.report import Report, report
from jnki.errors import RuleError
from jnki.program.program import Program
from jnki.view import View, view


class Inspection:
    """The part of a kernel that answers questions about it. All take the arguments of a call."""

    @abstractmethod
    def trace(self, *args: Any, **kwargs: Any) -> Program:
        """The recorded program for such arguments."""

    def check(self, *args: Any, **kwargs: Any) -> Findings:
        """What is found in the kernel for such arguments (arrays, or `jax.ShapeDtypeStruct`s); nothing runs.

            print(kernel.check(x))                # a report
            kernel.check(x).raise_if_any()        # warnings and errors, as an exception

        A rule that recording the kernel breaks is the one finding then, an error.
        """
        try:
            program = self.trace(*args, **kwargs)
        except RuleError as error:
            return Findings([Finding.of(error)])
        return check(program)

    def occupancy(self, *args: Any, **kwargs: Any) -> OccupancyReport:
        """How full SBUF and PSUM are over the course of the program for such arguments, and what fills them; print it.

        Raises:
            RuleError: the kernel breaks a rule.
        """
        return occupancy(self.trace(*args, **kwargs))

    def report(self, *args: Any, **kwargs: Any) -> Report:
        """What the kernel moves and computes for such arguments, and how long that takes at least; print it.

        Raises:
            RuleError: the kernel breaks a rule.
        """
        return report(self.trace(*args, **kwargs))

    def view(self, *args: Any, **kwargs: Any) -> View:
        """Pictures of the kernel for such arguments: one page of HTML, to be saved or shown in a notebook.

            kernel.view(x).save("kernel.html")

        Raises:
            RuleError: the kernel breaks a rule.
        """
        return view(self.trace(*args, **kwargs))
