"""Replica groups: which ranks exchange data with each other."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jnki.errors import RuleError


@dataclass(frozen=True)
class Groups:
    """Disjoint lists of ranks, all of one length; what one collective does, it does in each of them.

    Attributes:
        ranks: the groups; the order in one is that of its chunks, and of its ring.
    """

    ranks: tuple[tuple[int, ...], ...]

    @property
    def name(self) -> str:
        """What a listing says."""
        return str([list(group) for group in self.ranks])

    @property
    def size(self) -> int:
        """How many ranks each group has."""
        return len(self.ranks[0])

    @property
    def is_alone(self) -> bool:
        """Whether each rank is a group of its own: nothing is exchanged."""
        return self.size == 1

    @property
    def all_ranks(self) -> tuple[int, ...]:
        return tuple(sorted(rank for group in self.ranks for rank in group))

    @property
    def ring(self) -> tuple[tuple[int, int], ...]:
        """From each rank to the next one in its group, and from the last to the first."""
        return tuple(pair for group in self.ranks for pair in zip(group, (*group[1:], group[0])))

    def axis_index_groups(self) -> list[list[int]] | None:
        """As JAX takes them: None for all ranks in order."""
        return None if self.ranks == (self.all_ranks,) else [list(group) for group in self.ranks]

    def place(self) -> tuple[int, ...]:
        """For each rank, its position in its group."""
        places = {rank: at for group in self.ranks for at, rank in enumerate(group)}
        return tuple(places[rank] for rank in self.all_ranks)


def groups_of(value: Any, function: str) -> Groups:
    """The groups that nested lists of ranks describe.

    Raises:
        RuleError: `<function>.replica_group`: they are no lists of ranks, overlap, or are not equally long.
    """

    def error(what: str, allowed: str) -> RuleError:
        return RuleError(f"{function}.replica_group", f"{function}: {what}", given=f"{value!r}"[:120], allowed=allowed)

    if isinstance(value, Groups):
        return value
    lists = isinstance(value, Iterable) and not isinstance(value, str)
    groups = [list(group) if isinstance(group, Iterable) else None for group in value] if lists else []
    if not groups or not all(group and all(is_rank(rank) for rank in group) for group in groups):
        raise error("a replica group is a list of lists of ranks", "such as [[0, 1], [2, 3]]")
    found = Groups(tuple(tuple(int(rank) for rank in group or ()) for group in groups))
    if len(set(found.all_ranks)) != len(found.all_ranks):
        raise error("a rank is in a replica group twice", "each rank in one list, once")
    if len({len(group) for group in found.ranks}) > 1:
        raise error("the lists of a replica group are not equally long", "equally many ranks in each list")
    return found


def is_rank(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
