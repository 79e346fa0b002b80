"""What two cores that wait for each other in a loop on the device are asked: does it run equally often on both?"""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.affine import ZERO
from jnki.isa.instruction import Instruction
from jnki.isa.registers.loop_head import number_in
from jnki.isa.registers.rules import check_register
from jnki.memory import NO_LOOPS, DeviceMemory, Fault, Loops
from jnki.memory.sites import NO_SITE, Site, intern
from jnki.target import Target


@dataclass(frozen=True, kw_only=True)
class CoresAgree(Instruction):
    """A fault where the registers of two cores differ that decide how often their loop runs. It changes nothing else.

    No kernel says it: it is put in front of such a loop, and at the end of each iteration of a `while`.

    Attributes:
        one, other: the register of core 0, and of core 1.
        loop: what kind of loop it is, for messages.
    """

    name: ClassVar[str] = "cores_agree"
    writes: ClassVar[tuple[str, ...]] = ()

    one: Access
    other: Access
    loop: str

    @property
    def may_fault(self) -> bool:
        return True

    def check(self, target: Target) -> None:
        check_register(self, "one", self.one)
        check_register(self, "other", self.other)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        one, other = number_in(memory, self.one), number_in(memory, self.other)
        differ = one != other
        site = Site(
            instruction=self.loop,
            operand="",
            tensor="",
            axis=0,
            axis_size=0,
            size=0,
            offset=ZERO,
            index_step=1,
            row_step=0,
            signed=True,
            loops=tuple(symbol for symbol, _ in at.values),
            unrolled=self.unrolled,
            location=self.location,
            is_between_cores=True,
        )
        zero = jnp.int32(0)
        fault = Fault(
            site=jnp.where(differ, jnp.int32(intern(site)), jnp.int32(NO_SITE)),
            row=jnp.where(differ, one, zero),
            index=jnp.where(differ, other, zero),
            iteration=jnp.where(differ, at.iteration(), zero),
        )
        return memory.with_fault(memory.fault.or_else(fault))
