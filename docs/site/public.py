"""An extension of griffe: of the names with two underscores, only those that a user spells otherwise are shown."""

from typing import Any

import griffe

_SPELLED = {"__init__", "__call__", "__getitem__"}  # DeviceMemory(...), kernel(x), kernel[4]
# By jnki, not by its users.
_MADE = {"Kernel", "WithFault", "WithFindings", "Debugger", "Program", "OccupancyReport", "NkiInstruction"}


class Public(griffe.Extension):
    """What Python adds to every class is no part of an interface."""

    def on_class_members(self, *, cls: Any, **_: Any) -> None:
        """Forgets those members."""
        spelled = _SPELLED - {"__init__"} if cls.name in _MADE else _SPELLED
        for name in [name for name in cls.members if name.startswith("__") and name not in spelled]:
            del cls.members[name]
