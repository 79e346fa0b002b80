"""`nki.isa.register_store`: what a register holds into one element of memory."""

from dataclasses import dataclass
from typing import ClassVar

import jax

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.errors import not_modelled
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.registers.rules import check_one_element, check_register
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class RegisterStore(Instruction):
    """`dst = src`, 32 bits.

    Attributes:
        dst: one int32 or uint32 in HBM or SBUF.
        src: a register.
    """

    name: ClassVar[str] = "register_store"

    dst: Access
    src: Access

    def check(self, target: Target) -> None:
        check_one_element(self, "dst", self.dst)
        check_register(self, "src", self.src)
        if self.dst.dtype.size_bytes != 4:
            raise not_modelled(f"a register_store to {self.dst.dtype}, which is shorter than a register")
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = jax.lax.bitcast_convert_type(load(memory, self.src, at), self.dst.dtype.storage)
        return store(memory, self.dst, value.reshape(self.dst.shape), at)


def make(dst: Access, src: Access, target: Target) -> RegisterStore:
    """A checked `RegisterStore`."""
    instruction = RegisterStore(dst=dst, src=src, location=user_location())
    instruction.check(target)
    return instruction


@takes_target
def register_store(memory: DeviceMemory, *, dst: Ref, src: Ref, target: Target = TRN2) -> DeviceMemory:
    """Memory with what a register holds in one element of HBM or SBUF: `nki.isa.register_store`.

    Args:
        dst: one int32 or uint32.
        src: a register, such as `jnki.register("i")`.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return make(resolve(dst, memory.buffer), resolve(src, memory.buffer), target).execute(memory)
