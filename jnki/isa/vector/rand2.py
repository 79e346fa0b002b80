"""`nki.isa.rand2`: uniform random numbers between two bounds, on the Vector Engine."""

import math
from dataclasses import dataclass
from typing import ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref
from jnki.dtypes import float32
from jnki.isa.constants import as_number
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operands import per_partition, store_float32, tiles
from jnki.isa.random_lanes import check_lanes, drawn_by_lane
from jnki.isa.random_numbers import uniform
from jnki.isa.rules import check_compute_tile, check_float32, check_no_mask, check_version
from jnki.isa.slopes import multiply
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN3, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Rand2(Instruction):
    """`dst[p, i] = cast(min[p] + u * (max[p] - min[p]))`, `u` uniform from 0 up to 1, by one draw of each lane.

    Attributes:
        dst: `[P, F...]` in SBUF or PSUM, of any type but bool.
        state: the states of the Vector Engine's lanes, `uint32[P, 24]`.
        min, max: numbers, or `[P, 1]` tiles of float32.
    """

    name: ClassVar[str] = "rand2"
    writes: ClassVar[tuple[str, ...]] = ("dst", "state")
    registers: ClassVar[tuple[str, ...]] = ("state",)

    dst: Access
    state: Access
    min: Access | float
    max: Access | float

    def reads(self) -> tuple[Access, ...]:
        return (*super().reads(), self.state)

    def redirected(self, dst: Access) -> Instruction:  # type: ignore[override]
        """A copy: to draw once more would give other numbers."""
        return TensorCopy(dst=dst, src=self.dst, location=self.location)

    def check(self, target: Target) -> None:
        check_version(self, target, 4, "; nisa.rng on all")
        check_compute_tile(self, "dst", self.dst, target)
        if self.dst.dtype.name == "bool":
            raise self.error("rand2.dst", "'dst' has the wrong element type", given="bool", allowed="any other type")
        for argument, bound in (("min", self.min), ("max", self.max)):
            check_float32(self, argument, bound, self.dst, target)
        if not isinstance(self.min, Access) and not isinstance(self.max, Access) and not self.min < self.max:
            raise self.error(
                "rand2.range",
                "there is nothing between the bounds",
                given=f"{self.min}, {self.max}",
                allowed="min < max",
            )
        check_lanes(self, self.state, self.dst.shape[0], Engine.vector)
        check_no_mask(self)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        shape = self.dst.shape
        low, high = (per_partition(memory, bound, float32, len(shape), at) for bound in (self.min, self.max))
        bits, memory = drawn_by_lane(memory, self.state, math.prod(shape[1:]), at)
        value = low + multiply(uniform(bits).reshape(shape), high - low)
        return store_float32(memory, self.dst, value, at, None)


@takes_target
def rand2(
    memory: DeviceMemory, *, dst: Ref, state: Ref, min: Ref | float, max: Ref | float, target: Target = TRN3
) -> DeviceMemory:
    """Memory with uniform random numbers in a tile: the functional form of `nki.isa.rand2`.

    Args:
        dst: an SBUF or PSUM reference.
        state: an SBUF reference to the states of the Vector Engine's lanes, `uint32[P, 24]`; they count the draw.
        min, max: numbers, or `[P, 1]` references of float32.
        target: TRN3 unless given: older ones do not have the instruction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    bounds = {
        name: bound if isinstance(bound, Ref) else float(as_number("rand2", bound))
        for name, bound in (("min", min), ("max", max))
    }
    found = tiles(memory, data=dst, **bounds)
    instruction = Rand2(
        dst=found.pop("data"), state=tiles(memory, data=state)["data"], location=user_location(), **found
    )
    instruction.check(target)
    return instruction.execute(memory)
