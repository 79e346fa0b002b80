"""What all instructions are that stand beside one of the kernel's own, and look at what it touches."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import jax

from jnki.access.access import Access
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.watch.enabled import Share, enabled_elements
from jnki.watch.tally import counted


@dataclass(frozen=True, kw_only=True)
class Watcher(Instruction):
    """An instruction about one operand of the one beside it. It changes nothing of the kernel's, and cannot fault.

    Attributes:
        other0, other1, other2: the other operands of that instruction with an index of run time.
        share: what the operand has to do with the mask.
    """

    is_addressing: ClassVar[bool] = True

    other0: Access | None = None
    other1: Access | None = None
    other2: Access | None = None
    share: Share | None = None

    @property
    def may_fault(self) -> bool:
        return False

    def enabled(self, memory: DeviceMemory, access: Access, at: Loops) -> tuple[jax.Array | None, jax.Array | None]:
        """Which elements of the operand the instruction uses, and its row indices, as `enabled_elements` has them."""
        others = tuple(a for a in (self.other0, self.other1, self.other2) if a is not None)
        return enabled_elements(memory, access, others, self.mask, self.share, at)


@dataclass(frozen=True, kw_only=True)
class Count(Watcher):
    """`into` counts what is found in `src`.

    Attributes:
        into: a row of the tally.
        src: the operand, or its shadow.
    """

    writes: ClassVar[tuple[str, ...]] = ("into",)

    into: Access
    src: Access

    @property
    def reads_destination(self) -> bool:
        return True

    @abstractmethod
    def found(self, memory: DeviceMemory, at: Loops) -> tuple[jax.Array, jax.Array | None]:
        """What is found, as booleans whose leading dim is that of `src`; and the row indices of `src`."""

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.src.size == 0:
            return memory
        found, rows = self.found(memory, at)
        return store(memory, self.into, counted(load(memory, self.into, at), found, rows, at), at)
