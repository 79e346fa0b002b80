"""Beside a DMA that writes the rows that an index tile names: how many of them it has written before."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.memory import DeviceMemory, Loops
from jnki.watch.watcher import Count


@dataclass(frozen=True, kw_only=True)
class CountRepeats(Count):
    """Counts the rows of `src` that begin where an earlier row of it begins (clauses C17 and C18).

    `src` is what the instruction beside it writes; here nothing but its index tile is read.
    """

    name: ClassVar[str] = "count_repeats"

    def found(self, memory: DeviceMemory, at: Loops) -> tuple[jax.Array, jax.Array | None]:
        enabled, rows = self.enabled(memory, self.src, at)
        assert enabled is not None and rows is not None and self.src.indirect is not None
        number = self.src.shape[0]
        moves = jnp.broadcast_to(enabled, self.src.shape).reshape(number, -1).any(axis=1)
        place = lax.iota(jnp.int32, number)
        starts = place * self.src.dims[0].step + rows * self.src.indirect.step
        equal = (starts[:, None] == starts[None, :]) & moves[:, None] & moves[None, :]
        return (equal & (place[None, :] < place[:, None])).any(axis=1), rows
