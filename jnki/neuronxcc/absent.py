"""Parts of `neuronxcc` that no document describes and jnki does not have: kernels that the vendor ships, its compiler.

Files of kernels import such names beside those that they need. The import works and gives an `Absent`, which may be
handed around and raises where it is used: `NotImplementedError`, with its name and why there is none.
"""

import sys
from types import FrameType, ModuleType, NoneType
from typing import Any, NoReturn

from jnki.source import user_location

_SHIPPED = "a kernel library that the vendor ships; jnki runs kernels and brings none"
_COMPILER = "a part of the vendor's compiler, which jnki does not have"
_PRIVATE = "a private interface of the vendor's, which no document describes"
_COLLECTIVES = "communication between devices; jnki has one"

REASONS = {
    "nki.kernels": _SHIPPED,
    "nki._private_kernels": _SHIPPED,
    "nki._pre_prod_kernels": _SHIPPED,
    "nki.docs": "documentation that the vendor ships",
    "nki._private": _PRIVATE,
    "nki.nccl": _COLLECTIVES,
    "nki.compiler.backends": _COMPILER,
    "starfish": _COMPILER,
}
"""Why there is no such module, by its name below `neuronxcc`; what is inside of it is absent for the same reason."""

# Whoever asks for these wants to know whether something is an array.
_OF_ARRAYS = frozenset(["dtype", "ndim", "shape", "size"])


def reason(name: str) -> str | None:
    """Why jnki has no module of this name below `neuronxcc`; None where it is no name of the vendor's either."""
    parts = name.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((REASONS[prefix] for prefix in prefixes if prefix in REASONS), None)


class AbsentError(NotImplementedError, AttributeError):
    """Something that jnki does not have is used. `hasattr` is False for what would be an attribute of it."""


class AbsentModule(ModuleType):
    """A module of absent names: it has every name that is asked for, but those that Python itself looks for."""

    def __init__(self, name: str, why: str):
        super().__init__(name, f"{name}: {why}.")
        self._why = why

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return Absent(f"{self.__name__}.{name}", self._why)


class Absent:
    """A name that jnki does not have. It can be imported, named, indexed and kept; anything else raises."""

    __slots__ = ("_name", "_why")

    def __init__(self, name: str, why: str):
        self._name = name
        self._why = why

    def __getattr__(self, name: str) -> "Absent":
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _OF_ARRAYS:
            self._refuse()
        return Absent(f"{self._name}.{name}", self._why)

    def __getitem__(self, key: Any) -> "Absent":
        return Absent(f"{self._name}[...]", self._why)

    def __or__(self, other: Any) -> "Absent":
        return self

    __ror__ = __or__

    def __call__(self, *args: Any, **kwargs: Any) -> "Absent":
        """Another absent object where a file is imported, such as a default argument or a constant.

        Raises:
            AbsentError: anywhere else, and for arrays.
        """
        given = (*args, *kwargs.values())
        if not _is_top_level(sys._getframe(1)) or any(hasattr(value, "shape") for value in given):
            self._refuse()
        return Absent(f"{self._name}(...)", self._why)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        at = user_location()
        raise AbsentError(f"{self._name}: {self._why}" + (f"\n  at {at.describe()}" if at else ""))

    __bool__ = __iter__ = __len__ = __contains__ = __index__ = __int__ = __float__ = __array__ = _refuse

    def __eq__(self, other: object) -> bool:
        """Whether both are one: where `typing` asks, for an annotation such as `Optional[...]`, and of nobody else."""
        if self is not other and other is not NoneType and getattr(other, "__module__", None) != "typing":
            self._refuse()
        return self is other

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __and__ = __xor__ = _refuse
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __rand__ = __rxor__ = _refuse
    __enter__ = __exit__ = __instancecheck__ = __subclasscheck__ = __mro_entries__ = _refuse

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{self._name}: {self._why}>"


def _is_top_level(frame: FrameType) -> bool:
    return frame.f_code.co_name == "<module>"
