"""`ReplicaGroup`: which ranks take part in a collective."""

from collections.abc import Sequence
from typing import Any

from jnki.errors import RuleError
from jnki.isa.collectives.groups import Groups, groups_of
from jnki.nki.language.objects import NKIObject


class ReplicaGroup(NKIObject):
    """Disjoint lists of ranks; a collective runs in each of them. It is equal to any other of the same lists.

    Args:
        groups: lists of ranks, equally long, such as `[[0, 1], [2, 3]]`; chunks and rings are in their order.

    Raises:
        RuleError: `ReplicaGroup.replica_group`.
    """

    def __init__(self, groups: Sequence[Sequence[int]]):
        self._groups = groups_of(groups, "ReplicaGroup")

    @property
    def groups(self) -> list[list[int]]:
        """The lists of ranks."""
        return [list(group) for group in self._groups.ranks]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReplicaGroup) and self._groups == other._groups

    def __hash__(self) -> int:
        return hash(self._groups)

    def __repr__(self) -> str:
        return f"ReplicaGroup({self._groups.name})"


def groups_in(replica_group: Any, function: str) -> Groups:
    """The groups of the `replica_group` of a call.

    Raises:
        RuleError: `<function>.replica_group`, for anything but a `ReplicaGroup`.
    """
    if not isinstance(replica_group, ReplicaGroup):
        raise RuleError(
            f"{function}.replica_group",
            f"{function}: 'replica_group' is no ReplicaGroup",
            given=f"{replica_group!r}"[:120],
            allowed="such as nki.collectives.ReplicaGroup([[0, 1], [2, 3]])",
        )
    return groups_of(replica_group.groups, function)
