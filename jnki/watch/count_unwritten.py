"""Beside an instruction that reads: how many of the elements were never written, and the first of them."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.gather import read
from jnki.watch.enabled import Share, enabled_elements
from jnki.watch.tally import counted


@dataclass(frozen=True, kw_only=True)
class CountUnwritten(Instruction):
    """`into` counts the elements of `src`, a shadow, that have a zero in them, where the instruction beside it reads.

    Attributes:
        into: a row of the tally.
        src: the elements.
        other0, other1, other2: the other operands of the instruction with an index of run time.
        share: what `src` has to do with the mask.
    """

    name: ClassVar[str] = "count_unwritten"
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
        ones = np.iinfo(self.src.dtype.storage)
        found = read(memory.get(self.src.buffer), self.src, at, rows) != ones.dtype.type(ones.max)
        if enabled is not None:
            found = found & jnp.broadcast_to(enabled, self.src.shape)
        return store(memory, self.into, counted(load(memory, self.into, at), found, rows, at), at)
