"""A kernel that gives its fault record back: what `kernel.with_fault` is."""

from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from jnki.memory import Fault

P = ParamSpec("P")
R = TypeVar("R")


class WithFault(Generic[P, R]):
    """A function with the arguments of a kernel, to its outputs and a `jnki.Fault`.

    It is one object for each kernel, because JAX remembers by the object what it has compiled.

    Attributes:
        kernel: the kernel.
    """

    def __init__(self, kernel: Any, call: Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, Fault]]):
        self.kernel = kernel
        self._call = call
        self.__name__ = f"{kernel.__name__}.with_fault"
        self.__qualname__ = f"{kernel.__qualname__}.with_fault"
        self.__module__ = kernel.__module__
        self.__doc__ = kernel.__doc__
        self.__signature__ = kernel.__signature__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[R, Fault]:
        """The outputs and the fault record, whatever happened; nothing is raised or poisoned.

        Raises:
            RuleError: the kernel breaks a rule (while it is recorded).
        """
        return self._call(args, kwargs)

    def __carried__(self) -> tuple[Any, ...]:
        """What tells it from others: its kernel."""
        return (self.kernel,)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.kernel, "with_fault")

    def __repr__(self) -> str:
        return f"<{self.kernel!r}.with_fault>"
