"""What the functional forms of all collectives do."""

from typing import Any

from jnki.access.ref import Ref, resolve
from jnki.errors import RuleError
from jnki.isa.collectives.groups import groups_of
from jnki.isa.instruction import Instruction
from jnki.memory import DeviceMemory
from jnki.source import user_location
from jnki.target import Target


def axes_of(axis: Any, who: str) -> tuple[str, ...]:
    """The names of mesh axes.

    Raises:
        RuleError: `collectives.axis_name`: something is no name, or there twice.
    """
    axes = (axis,) if isinstance(axis, str) else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    if not all(isinstance(name, str) and name for name in axes) or len(set(axes)) != len(axes):
        raise RuleError(
            "collectives.axis_name",
            f"{who}: a mesh axis is given by its name, each axis once",
            given=", ".join(map(repr, axes)),
            allowed="such as 'x', or 'x' and 'y'",
        )
    return axes


def collective(
    kind: type[Any], memory: DeviceMemory, target: Target, axis: Any, groups: Any = None, **operands: Any
) -> DeviceMemory:
    """Memory after a collective whose operands are references.

    Args:
        groups: None for one that has no replica groups.
    """
    found = {n: resolve(value, memory.buffer) if isinstance(value, Ref) else value for n, value in operands.items()}
    if groups is not None:
        found["groups"] = groups_of(groups, kind.name)
    instruction: Instruction = kind(axes=axes_of(axis, kind.name), location=user_location(), **found)
    instruction.check(target)
    return instruction.execute(memory)
