"""A kernel that gives back what was found while it ran: what `kernel.with_findings` is."""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from jnki.memory import Fault
from jnki.watch.run_findings import RunFindings

P = ParamSpec("P")
R = TypeVar("R")


class WithFindings(Generic[P, R]):
    """A function with the arguments of a kernel, to its outputs, a `jnki.Fault` and a `jnki.RunFindings`.

    It is one object for each kernel, because JAX remembers by the object what it has compiled.

    Attributes:
        kernel: the kernel.
    """

    def __init__(self, kernel: Any, call: Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, Fault, RunFindings]]):
        self.kernel = kernel
        self._call = call
        self.__name__ = f"{kernel.__name__}.with_findings"
        self.__qualname__ = f"{kernel.__qualname__}.with_findings"
        self.__module__ = kernel.__module__
        self.__doc__ = kernel.__doc__
        self.__signature__ = kernel.__signature__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[R, Fault, RunFindings]:
        """The outputs and the fault record, as `with_fault` has them, and what was found; nothing is raised.

        Raises:
            RuleError: the kernel breaks a rule (while it is recorded).
            NotImplementedError: the kernel exchanges data with other devices.
        """
        return self._call(args, kwargs)

    def __carried__(self) -> tuple[Any, ...]:
        """What tells it from others: its kernel."""
        return (self.kernel,)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.kernel, "with_findings")

    def __repr__(self) -> str:
        return f"<{self.kernel!r}.with_findings>"
