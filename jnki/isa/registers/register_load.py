"""`nki.isa.register_load`: one element of memory into a register."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.registers.rules import check_one_element, check_register
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class RegisterLoad(Instruction):
    """`dst = src`: 32 bits as they are, and shorter integers extended by their sign, or by zeros if they have none.

    Attributes:
        dst: a register.
        src: one integer in HBM or SBUF.
    """

    name: ClassVar[str] = "register_load"

    dst: Access
    src: Access

    def check(self, target: Target) -> None:
        check_register(self, "dst", self.dst)
        check_one_element(self, "src", self.src)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        element = load(memory, self.src, at).reshape(1, 1)
        is_whole = self.src.dtype.size_bytes == 4
        value = jax.lax.bitcast_convert_type(element, jnp.int32) if is_whole else element.astype(jnp.int32)
        return store(memory, self.dst, value, at)


def make(dst: Access, src: Access, target: Target) -> RegisterLoad:
    """A checked `RegisterLoad`."""
    instruction = RegisterLoad(dst=dst, src=src, location=user_location())
    instruction.check(target)
    return instruction


@takes_target
def register_load(memory: DeviceMemory, *, dst: Ref, src: Ref, target: Target = TRN2) -> DeviceMemory:
    """Memory with one element of HBM or SBUF in a register: `nki.isa.register_load`.

    Args:
        dst: a register, such as `jnki.register("i")`.
        src: one integer.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return make(resolve(dst, memory.buffer), resolve(src, memory.buffer), target).execute(memory)
