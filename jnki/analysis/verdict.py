"""Two uses of one buffer, and what is known about whether they meet."""

import enum
from dataclasses import dataclass

from jnki.access.access import Access
from jnki.isa.instruction import Instruction


class Verdict(enum.Enum):
    """What is known about two accesses."""

    DISJOINT = "no two iterations meet"
    CLASH = "two iterations meet"
    UNDECIDED = "not judged"


@dataclass(frozen=True)
class Use:
    """One access of one instruction in a loop body."""

    instruction: Instruction
    access: Access
    is_write: bool
    accumulates: bool


@dataclass(frozen=True)
class Meeting:
    """A verdict; where it is a clash, the first two iterations that meet, and the first place where they do.

    Attributes:
        first, second: the iterations of the two uses.
        location: an index for each axis of the buffer.
    """

    verdict: Verdict
    first: int | None = None
    second: int | None = None
    location: tuple[int, ...] | None = None
