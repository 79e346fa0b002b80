"""The values of the loop indices around an instruction while it runs."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jnki.access.affine import Symbol
from jnki.errors import not_modelled

# A fault keeps the iteration in which it happened in a vector of this fixed length, so that the fault record has
# one structure everywhere (it travels through scans).
MAX_LOOP_DEPTH = 8


@dataclass(frozen=True)
class Loops:
    """Enclosing loops from the outermost to the innermost, each with its index: an int or a traced int32.

    Attributes:
        values: the loops.
        offsets: symbols that stand for numbers from memory, while one instruction runs.
    """

    values: tuple[tuple[Symbol, Any], ...] = ()
    offsets: tuple[tuple[Symbol, Any], ...] = ()

    def __call__(self, symbol: Symbol) -> Any:
        for known, value in (*self.values, *self.offsets):
            if known == symbol:
                return value
        raise KeyError(f"loop index {symbol} is used outside of its loop")

    def inside(self, symbol: Symbol, value: Any) -> "Loops":
        if len(self.values) == MAX_LOOP_DEPTH:
            raise not_modelled(f"more than {MAX_LOOP_DEPTH} nested loops")
        return Loops((*self.values, (symbol, value)), self.offsets)

    def at_offset(self, symbol: Symbol, value: Any) -> "Loops":
        return Loops(self.values, (*self.offsets, (symbol, value)))

    def iteration(self) -> jax.Array:
        """The indices as `int32[MAX_LOOP_DEPTH]`, outermost first, zero where there is no loop."""
        values = [jnp.asarray(v, jnp.int32) for _, v in self.values]
        values += [jnp.zeros((), jnp.int32)] * (MAX_LOOP_DEPTH - len(values))
        return jnp.stack(values)


NO_LOOPS = Loops()
