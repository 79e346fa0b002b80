"""Functions that belong to a kernel and give back more than it does: `kernel.with_fault`, `kernel.with_findings`."""

from collections.abc import Callable
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Companion(Generic[P, R]):
    """A function with the arguments of a kernel.

    It is one object for each kernel, because JAX remembers by the object what it has compiled.

    Attributes:
        kernel: the kernel.
    """

    # The attribute of a kernel that it is.
    attribute: ClassVar[str]

    def __init__(self, kernel: Any, call: Callable[[tuple[Any, ...], dict[str, Any]], Any]):
        self.kernel = kernel
        self._call = call
        self.__name__ = f"{kernel.__name__}.{self.attribute}"
        self.__qualname__ = f"{kernel.__qualname__}.{self.attribute}"
        self.__module__ = kernel.__module__
        self.__doc__ = kernel.__doc__
        self.__signature__ = kernel.__signature__

    def __carried__(self) -> tuple[Any, ...]:
        """What tells it from others: its kernel."""
        return (self.kernel,)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.kernel, self.attribute)

    def __repr__(self) -> str:
        return f"<{self.kernel!r}.{self.attribute}>"
