"""`nki.isa.rng`: a tile of random bits, on the Vector or the GpSimd Engine."""

import math
from dataclasses import dataclass
from typing import ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.dtypes import uint32
from jnki.isa.bitvec import as_bits_of
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operands import store
from jnki.isa.random_lanes import check_lanes, drawn_by_lane
from jnki.isa.random_numbers import check_state, drawn_bits
from jnki.isa.rules import check_compute_tile, check_engine, check_no_mask, check_on_chip, check_type
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

TYPES = ("int8", "int16", "int32", "uint8", "uint16", "uint32")


@dataclass(frozen=True, kw_only=True)
class Rng(Instruction):
    """`dst[i] = the low bits of a word of 32 random bits`, by one draw of the engine's generator.

    Attributes:
        dst: `[P, F...]` of an integer type in SBUF, or, on the Vector Engine, in PSUM.
        state: the generator's registers: `uint32[1, 2]` of the Vector Engine, which `random_seed` sets, or
            `uint32[P, 6]` of the GpSimd Engine, which `rand_set_state` sets.
        engine: vector or gpsimd.
    """

    name: ClassVar[str] = "rng"
    writes: ClassVar[tuple[str, ...]] = ("dst", "state")
    registers: ClassVar[tuple[str, ...]] = ("state",)

    dst: Access
    state: Access
    engine: Engine = Engine.vector

    def reads(self) -> tuple[Access, ...]:
        return (*super().reads(), self.state)

    def redirected(self, dst: Access) -> Instruction:  # type: ignore[override]
        """A copy: to draw once more would give other bits."""
        return TensorCopy(dst=dst, src=self.dst, location=self.location)

    def check(self, target: Target) -> None:
        check_compute_tile(self, "dst", self.dst, target)
        check_type(self, "dst", self.dst, TYPES)
        engines = (Engine.vector, Engine.gpsimd) if target.neuron_core_version >= 3 else (Engine.vector,)
        check_engine(self, self.engine, engines)
        if self.engine is Engine.gpsimd:
            check_on_chip(self, "dst", self.dst, psum=False)
            check_lanes(self, self.state, self.dst.shape[0], self.engine)
        else:
            check_state(self, self.state)
        check_no_mask(self)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        shape = self.dst.shape
        if self.engine is Engine.gpsimd:
            bits, memory = drawn_by_lane(memory, self.state, math.prod(shape[1:]), at)
        else:
            bits, memory = drawn_bits(memory, self.state, shape, None, at)
        return store(memory, self.dst, as_bits_of(bits.reshape(shape), uint32, self.dst.dtype), at)


@takes_target
def rng(
    memory: DeviceMemory, *, dst: Ref, state: Ref, engine: Engine = Engine.vector, target: Target = TRN2
) -> DeviceMemory:
    """Memory with random bits in a tile: the functional form of `nki.isa.rng`.

    Args:
        dst: an SBUF or PSUM reference of an integer type.
        state: an SBUF reference to the generator's state, which counts the draw: `uint32[1, 2]` of the Vector Engine,
            `uint32[P, 6]` of the GpSimd Engine.
        engine: vector or gpsimd.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Rng(
        dst=resolve(dst, memory.buffer),
        state=resolve(state, memory.buffer),
        engine=engine,
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
