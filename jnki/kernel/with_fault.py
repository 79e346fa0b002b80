"""A kernel that gives its fault record back: what `kernel.with_fault` is."""

from typing import ClassVar, cast

from jnki.kernel.companion import Companion, P, R
from jnki.memory import Fault


class WithFault(Companion[P, R]):
    """A function with the arguments of a kernel, to its outputs and a `jnki.Fault`.

    Attributes:
        kernel: the kernel.
    """

    attribute: ClassVar[str] = "with_fault"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[R, Fault]:
        """The outputs and the fault record, whatever happened; nothing is raised or poisoned.

        Raises:
            RuleError: the kernel breaks a rule (while it is recorded).
        """
        return cast(tuple[R, Fault], self._call(args, kwargs))
