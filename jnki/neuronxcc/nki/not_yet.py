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
        "dma_engine",
        "tensor_copy_dynamic_dst",
        "tensor_copy_dynamic_src",
    ]
)

LANGUAGE = frozenset(
    [
        "dropout",
        "rand",
        "random_seed",
    ]
)


def missing(module: str, names: frozenset[str]) -> Callable[[str], Any]:
    """A module's `__getattr__` that tells what is not modelled from what does not exist."""

    def __getattr__(name: str) -> Any:
        if name in names:
            raise NotModelledError(str(not_modelled(f"{module}.{name}")))
        at = None if name.startswith("__") else user_location()
        place = f": it is no name of the legacy dialect\n  at {at.describe()}" if at is not None else ""
        raise AttributeError(f"module '{module}' has no attribute '{name}'{place}")

    return __getattr__
