"""The head of `nki.language.fori_loop` and `dynamic_range`: a register counts from one bound to the other."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.isa.operands import store
from jnki.isa.registers.loop_head import LoopHead, check_number, number_in
from jnki.isa.registers.rules import check_register
from jnki.memory import NO_LOOPS, DeviceMemory
from jnki.target import Target


@dataclass(frozen=True, kw_only=True)
class CountedLoop(LoopHead):
    """`for dst in range(lower, upper, step)`; the bounds are what they are when the loop begins.

    Attributes:
        dst: the register that each iteration finds its index in.
        lower, upper: registers or integers. Where `upper` is not above `lower` there is no iteration.
        step: a positive integer.
    """

    name: ClassVar[str] = "fori_loop"
    kind: ClassVar[str] = "fori_loop"

    dst: Access
    lower: Access | int
    upper: Access | int
    step: int = 1

    def check(self, target: Target) -> None:
        check_register(self, "dst", self.dst)
        check_number(self, "lower", self.lower)
        check_number(self, "upper", self.upper)
        if not 0 < self.step < 1 << 31:
            raise self.error(
                "fori_loop.step",
                "a loop on the device counts upwards in steps that are known",
                given=f"step={self.step}",
                allowed="a positive integer",
            )
        super().check(target)

    def start(self, memory: DeviceMemory) -> Any:
        lower, upper = number_in(memory, self.lower), number_in(memory, self.upper)
        # As many as fit in 32 bits, but not in 31: from the least integer to the greatest.
        distance = upper.astype(jnp.uint32) - lower.astype(jnp.uint32)
        trips = jnp.where(upper > lower, (distance - 1) // jnp.uint32(self.step) + 1, jnp.uint32(0))
        return lower, trips, jnp.uint32(0)

    def holds(self, memory: DeviceMemory, state: Any) -> jax.Array:
        _, trips, done = state
        return jnp.asarray(done < trips)

    def enter(self, memory: DeviceMemory, state: Any) -> DeviceMemory:
        return store(memory, self.dst, self.told(state), NO_LOOPS)

    def next(self, state: Any) -> Any:
        lower, trips, done = state
        return lower, trips, done + jnp.uint32(1)

    def told(self, state: Any) -> jax.Array:
        lower, _, done = state
        return jnp.asarray(lower + (done * jnp.uint32(self.step)).astype(jnp.int32))

    def listing(self) -> str:
        bounds = ", ".join(str(b) for b in (self.lower, self.upper, *((self.step,) if self.step != 1 else ())))
        return f"for {self.dst} in range({bounds})"
