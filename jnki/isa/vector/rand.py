"""`rand`: a tile of uniform random numbers; what `nl.rand` records."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.isa.instruction import Instruction
from jnki.isa.operands import store_float32
from jnki.isa.random_numbers import check_state, drawn
from jnki.isa.rules import check_compute_tile, check_mask
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Rand(Instruction):
    """`dst[i] = cast(uniform number from 0 up to 1)`, by one draw of the generator.

    Attributes:
        dst: `[P, F...]` in SBUF or PSUM, of a float type; in narrower types than float32 a number may round to 1.
        state: the generator's registers, `uint32[1, 2]`.
    """

    name: ClassVar[str] = "rand"
    writes: ClassVar[tuple[str, ...]] = ("dst", "state")
    registers: ClassVar[tuple[str, ...]] = ("state",)

    dst: Access
    state: Access

    def reads(self) -> tuple[Access, ...]:
        return (*super().reads(), self.state)

    def redirected(self, dst: Access) -> Instruction:  # type: ignore[override]
        """A copy: to draw once more would give other numbers."""
        return TensorCopy(dst=dst, src=self.dst, mask=self.mask, location=self.location)

    def check(self, target: Target) -> None:
        check_compute_tile(self, "dst", self.dst, target)
        check_state(self, self.state)
        if not self.dst.dtype.is_float:
            raise self.error(
                "rand.dtype",
                "numbers between 0 and 1 need a float type",
                given=str(self.dst.dtype),
                allowed="a float type",
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        enabled = None if self.mask is None else self.mask.evaluate(self.dst.shape, at)
        uniform, memory = drawn(memory, self.state, self.dst.shape, enabled, at)
        return store_float32(memory, self.dst, uniform, at, enabled)


@takes_target
def rand(memory: DeviceMemory, *, dst: Ref, state: Ref, mask: Any = None, target: Target = TRN2) -> DeviceMemory:
    """Memory with uniform random numbers in a tile: `nki.language.rand` without a kernel.

    Args:
        dst: an SBUF or PSUM reference of a float type.
        state: an SBUF reference to `uint32[1, 2]`, the generator's state; it counts the draw.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Rand(
        dst=resolve(dst, memory.buffer),
        state=resolve(state, memory.buffer),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
