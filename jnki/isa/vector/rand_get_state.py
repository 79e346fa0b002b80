"""`nki.isa.rand_get_state`: reads the states of an engine's random number generators."""

from dataclasses import dataclass
from typing import ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.random_lanes import WORDS, check_lane_engine, check_lanes
from jnki.isa.rules import check_no_mask, check_on_chip, check_partitions, check_type, check_version
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class RandGetState(Instruction):
    """`dst[p] = state[p]`, for each lane of the engine that the tile has a partition for.

    Attributes:
        dst: `[P, 6]` for the GpSimd Engine, `[P, 24]` for the Vector Engine, uint32, in SBUF (or PSUM, for the latter).
        state: the states of these lanes, of the same shape.
        engine: gpsimd or vector.
    """

    name: ClassVar[str] = "rand_get_state"
    registers: ClassVar[tuple[str, ...]] = ("state",)

    dst: Access
    state: Access
    engine: Engine = Engine.gpsimd

    def check(self, target: Target) -> None:
        check_version(self, target, 3)
        check_lane_engine(self, self.engine, target)
        check_on_chip(self, "dst", self.dst, psum=self.engine is Engine.vector)
        check_partitions(self, "dst", self.dst, target)
        check_type(self, "dst", self.dst, ("uint32",))
        if len(self.dst.shape) != 2 or self.dst.shape[1] != WORDS[self.engine]:
            raise self.error(
                "rand_get_state.shape",
                "'dst' does not have the words of a state in each partition",
                given=str(list(self.dst.shape)),
                allowed=f"[P, {WORDS[self.engine]}] for the {self.engine.name} engine",
            )
        check_lanes(self, self.state, self.dst.shape[0], self.engine)
        check_no_mask(self)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        return store(memory, self.dst, load(memory, self.state, at), at)


@takes_target
def rand_get_state(
    memory: DeviceMemory, *, dst: Ref, state: Ref, engine: Engine = Engine.gpsimd, target: Target = TRN2
) -> DeviceMemory:
    """Memory with the states of an engine's lanes in a tile: the functional form of `nki.isa.rand_get_state`.

    Args:
        dst: an SBUF reference `[P, 6]`, or `[P, 24]` for the Vector Engine, of uint32.
        state: an SBUF reference of that shape to the states of the lanes.
        engine: gpsimd, or, from NeuronCore-v4 on, vector.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = RandGetState(
        dst=resolve(dst, memory.buffer),
        state=resolve(state, memory.buffer),
        engine=engine,
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
