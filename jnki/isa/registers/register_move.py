"""`nki.isa.register_move`: a register gets an integer, or what another register holds."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.index import IndexValue
from jnki.access.ref import Ref, resolve
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.registers.rules import check_register
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_INT32, _UINT32 = np.iinfo(np.int32), np.iinfo(np.uint32)


@dataclass(frozen=True, kw_only=True)
class RegisterMove(Instruction):
    """`dst = src`, 32 bits.

    Attributes:
        dst: a register.
        src: a register, an integer of 32 bits, or an expression of loop indices.
    """

    name: ClassVar[str] = "register_move"

    dst: Access
    src: Access | int | IndexValue

    def check(self, target: Target) -> None:
        check_register(self, "dst", self.dst)
        match self.src:
            case Access():
                check_register(self, "src", self.src)
            case int() if isinstance(self.src, bool) or not _INT32.min <= self.src <= _UINT32.max:
                raise self.error(
                    "register_move.src",
                    "a register does not hold such a number",
                    given=str(self.src),
                    allowed="a register, or an integer of 32 bits",
                )
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        match self.src:
            case Access():
                value = load(memory, self.src, at)
            case IndexValue():
                value = jnp.asarray(self.src.base.evaluate(at), jnp.int32)
            case _:
                value = jnp.asarray(_as_int32(self.src))
        return store(memory, self.dst, value, at)


def _as_int32(number: int) -> np.int32:
    """The number, or the int32 that has its 32 bits."""
    return np.int32(number if number <= _INT32.max else number - (1 << 32))


def make(dst: Access, src: Any, target: Target) -> RegisterMove:
    """A checked `RegisterMove`."""
    move = RegisterMove(dst=dst, src=src, location=user_location())
    move.check(target)
    return move


@takes_target
def register_move(memory: DeviceMemory, *, dst: Ref, src: Ref | int, target: Target = TRN2) -> DeviceMemory:
    """Memory with an integer, or what another register holds, in a register: `nki.isa.register_move`.

    Args:
        dst: a register, such as `jnki.register("i")`.
        src: a register, or an integer of 32 bits.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    source = resolve(src, memory.buffer) if isinstance(src, Ref) else src
    return make(resolve(dst, memory.buffer), source, target).execute(memory)
