"""Memories as `buffer=` arguments."""

import enum
from typing import Any

from jnki.access.buffer import Space
from jnki.errors import RuleError


class MemoryRegion(enum.Enum):
    """A kind of memory that a tensor can be made in."""

    sbuf = "sbuf"
    psum = "psum"
    private_hbm = "private_hbm"
    shared_hbm = "shared_hbm"

    def __str__(self) -> str:
        return self.value


sbuf = MemoryRegion.sbuf
psum = MemoryRegion.psum
hbm = private_hbm = MemoryRegion.private_hbm
shared_hbm = MemoryRegion.shared_hbm

SPACES = {sbuf: Space.SBUF, psum: Space.PSUM, private_hbm: Space.HBM, shared_hbm: Space.HBM}


def region(buffer: Any, function: str) -> MemoryRegion:
    """`buffer`, which must be a memory.

    Raises:
        RuleError: `<function>.buffer`, for a name or anything else.
    """
    if not isinstance(buffer, MemoryRegion):
        raise RuleError(
            f"{function}.buffer",
            f"nl.{function}: 'buffer' must be a memory",
            given=repr(buffer),
            allowed="nl.sbuf, nl.psum, nl.hbm, nl.private_hbm or nl.shared_hbm",
        )
    return buffer


def is_hbm(buffer: Any) -> bool:
    """Whether it is one of the two kinds of HBM."""
    return buffer in (private_hbm, shared_hbm)


def is_sbuf(buffer: Any) -> bool:
    """Whether it is SBUF."""
    return buffer is sbuf


def is_psum(buffer: Any) -> bool:
    """Whether it is PSUM."""
    return buffer is psum


def is_on_chip(buffer: Any) -> bool:
    """Whether it is SBUF or PSUM."""
    return buffer in (sbuf, psum)
