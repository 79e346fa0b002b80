"""Beside an instruction that reads: how many of the elements were never written, and the first of them."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jnki.memory import DeviceMemory, Loops
from jnki.memory.gather import read
from jnki.watch.watcher import Count


@dataclass(frozen=True, kw_only=True)
class CountUnwritten(Count):
    """Counts the elements of `src`, a shadow, that have a zero in them, where the instruction beside it reads."""

    name: ClassVar[str] = "count_unwritten"

    def found(self, memory: DeviceMemory, at: Loops) -> tuple[jax.Array, jax.Array | None]:
        enabled, rows = self.enabled(memory, self.src, at)
        ones = np.iinfo(self.src.dtype.storage)
        found = read(memory.get(self.src.buffer), self.src, at, rows) != ones.dtype.type(ones.max)
        return found if enabled is None else found & jnp.broadcast_to(enabled, self.src.shape), rows
