"""Beside an instruction that writes: the same elements of the shadow are marked."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.isa.operands import load
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.scatter import write
from jnki.watch.watcher import Watcher


@dataclass(frozen=True, kw_only=True)
class MarkWritten(Watcher):
    """All bits of `dst`, a shadow, are set where the instruction that it stands beside writes.

    Attributes:
        dst: the elements.
        predicate: where it is 0, nothing is written.
    """

    name: ClassVar[str] = "mark_written"

    dst: Access
    predicate: Access | None = None

    @property
    def reads_destination(self) -> bool:
        """Where the predicate is 0, the mark from before stays."""
        return self.predicate is not None

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        enabled, rows = self.enabled(memory, self.dst, at)
        if self.predicate is not None:
            chosen = load(memory, self.predicate, at).reshape(self.dst.shape) != 0
            enabled = chosen if enabled is None else enabled & chosen
        if enabled is not None:
            enabled = jnp.broadcast_to(enabled, self.dst.shape)
        ones = np.iinfo(self.dst.dtype.storage).max
        marks = jnp.full(self.dst.shape, ones, self.dst.dtype.storage)
        return memory.set(self.dst.buffer, write(memory.get(self.dst.buffer), self.dst, marks, at, rows, enabled))
