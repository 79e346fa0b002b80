"""A kernel that gives back what was found while it ran: what `kernel.with_findings` is."""

from typing import ClassVar, cast

from jnki.kernel.companion import Companion, P, R
from jnki.memory import Fault
from jnki.watch.run_findings import RunFindings


class WithFindings(Companion[P, R]):
    """A function with the arguments of a kernel, to its outputs, a `jnki.Fault` and a `jnki.RunFindings`.

    Attributes:
        kernel: the kernel.
    """

    attribute: ClassVar[str] = "with_findings"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[R, Fault, RunFindings]:
        """The outputs and the fault record, as `with_fault` has them, and what was found; nothing is raised.

        Raises:
            RuleError: the kernel breaks a rule (while it is recorded).
            NotImplementedError: the kernel exchanges data with other devices.
        """
        return cast(tuple[R, Fault, RunFindings], self._call(args, kwargs))
