"""Names that a module does not have: not modelled yet, gone from this dialect, or never there."""

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from jnki.errors import not_modelled
from jnki.source import user_location


class NotModelledError(NotImplementedError, AttributeError):
    """A documented name that jnki does not have yet. `hasattr` is False for it, as for any missing name."""


def missing(
    module: str,
    dialect: str,
    not_yet: Collection[str],
    reasons: Mapping[str, str] = MappingProxyType({}),
    gone: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[str], Any]:
    """A module's `__getattr__` that tells what is not modelled from what does not exist.

    Args:
        module: its name, as users spell it.
        dialect: "legacy" or "current".
        not_yet: documented names that jnki does not model.
        reasons: of some of these, why they are not to come.
        gone: names of another dialect, and what stands for them in this one.
    """

    def __getattr__(name: str) -> Any:
        if name in not_yet:
            because = f": {reasons[name]}" if name in reasons else " yet"
            raise NotModelledError(str(not_modelled(f"{module}.{name}")).replace(" yet", because, 1))
        at = None if name.startswith("__") else user_location()
        instead = f"; {gone[name]}" if name in gone else ""
        place = f": it is no name of the {dialect} dialect{instead}\n  at {at.describe()}" if at is not None else ""
        raise AttributeError(f"module '{module}' has no attribute '{name}'{place}")

    return __getattr__
