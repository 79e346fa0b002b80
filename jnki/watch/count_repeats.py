"""Beside a DMA that writes the rows that an index tile names: how many of them it has written before."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.watch.enabled import Share, enabled_elements
from jnki.watch.tally import counted


@dataclass(frozen=True, kw_only=True)
class CountRepeats(Instruction):
    """`into` counts the rows of `src` that begin where an earlier row of it begins (clauses C17 and C18).

    Attributes:
        into: a row of the tally.
        src: what the instruction beside it writes; here nothing but its index tile is read.
        other0, other1, other2: the other operands of the instruction with an index of run time.
        share: what `src` has to do with the mask.
    """

    name: ClassVar[str] = "count_repeats"
    writes: ClassVar[tuple[str, ...]] = ("into",)
    is_addressing: ClassVar[bool] = True

    into: Access
    src: Access
    other0: Access | None = None
    other1: Access | None = None
    other2: Access | None = None
    share: Share | None = None

    @property
    def reads_destination(self) -> bool:
        return True

    @property
    def may_fault(self) -> bool:
        return False

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.src.size == 0:
            return memory
        others = tuple(a for a in (self.other0, self.other1, self.other2) if a is not None)
        enabled, rows = enabled_elements(memory, self.src, others, self.mask, self.share, at)
        assert enabled is not None and rows is not None and self.src.indirect is not None
        number = self.src.shape[0]
        moves = jnp.broadcast_to(enabled, self.src.shape).reshape(number, -1).any(axis=1)
        place = lax.iota(jnp.int32, number)
        starts = place * self.src.dims[0].step + rows * self.src.indirect.step
        equal = (starts[:, None] == starts[None, :]) & moves[:, None] & moves[None, :]
        found = (equal & (place[None, :] < place[:, None])).any(axis=1)
        return store(memory, self.into, counted(load(memory, self.into, at), found, rows, at), at)
