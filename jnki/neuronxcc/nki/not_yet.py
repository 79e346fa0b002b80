"""Documented names of the legacy dialect that jnki does not model yet: using one says so."""

from collections.abc import Callable
from typing import Any

from jnki.errors import not_modelled
from jnki.source import user_location


class NotModelledError(NotImplementedError, AttributeError):
    """A documented name that jnki does not have yet. `hasattr` is False for it, as for any missing name."""


TOP = frozenset(["FrameworkKernel"])

ISA = frozenset(
    [
        "builtin_custom_op",
    ]
)

LANGUAGE: frozenset[str] = frozenset()


# Why a name is not to come.
_REASONS = {
    "builtin_custom_op": "it runs a compiled library of the vendor on the GpSimd processors, and there is neither",
}


def missing(module: str, names: frozenset[str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that tells what is not modelled from what does not exist."""

    def __getattr__(name: str) -> Any:
        if name in names:
            because = f": {_REASONS[name]}" if name in _REASONS else " yet"
            raise NotModelledError(str(not_modelled(f"{module}.{name}")).replace(" yet", because, 1))
        at = None if name.startswith("__") else user_location()
        place = f": it is no name of the legacy dialect\n  at {at.describe()}" if at is not None else ""
        raise AttributeError(f"module '{module}' has no attribute '{name}'{place}")

    return __getattr__
