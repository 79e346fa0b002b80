"""`nki.isa.rand_set_state`: sets the states of an engine's random number generators."""

from dataclasses import dataclass, replace
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
class RandSetState(Instruction):
    """`state[p] = src_seeds[p]`, for each lane of the engine that the tile has a partition for.

    Attributes:
        src_seeds: `[P, 6]` for the GpSimd Engine, `[P, 24]` for the Vector Engine, uint32, in SBUF.
        state: the states of these lanes, of the same shape; None where nothing draws from them afterwards.
        engine: gpsimd or vector.
    """

    name: ClassVar[str] = "rand_set_state"
    writes: ClassVar[tuple[str, ...]] = ("state",)
    registers: ClassVar[tuple[str, ...]] = ("state",)

    src_seeds: Access
    state: Access | None
    engine: Engine = Engine.gpsimd

    def without_registers(self) -> Instruction:
        return replace(self, state=None)

    def check(self, target: Target) -> None:
        check_version(self, target, 3)
        check_lane_engine(self, self.engine, target)
        check_on_chip(self, "src_seeds", self.src_seeds, psum=False)
        check_partitions(self, "src_seeds", self.src_seeds, target)
        check_type(self, "src_seeds", self.src_seeds, ("uint32",))
        if len(self.src_seeds.shape) != 2 or self.src_seeds.shape[1] != WORDS[self.engine]:
            raise self.error(
                "rand_set_state.shape",
                "'src_seeds' does not have the words of a state in each partition",
                given=str(list(self.src_seeds.shape)),
                allowed=f"[P, {WORDS[self.engine]}] for the {self.engine.name} engine",
            )
        if self.state is not None:
            check_lanes(self, self.state, self.src_seeds.shape[0], self.engine)
        check_no_mask(self)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.state is None:
            return memory
        return store(memory, self.state, load(memory, self.src_seeds, at), at)


@takes_target
def rand_set_state(
    memory: DeviceMemory, *, src_seeds: Ref, state: Ref, engine: Engine = Engine.gpsimd, target: Target = TRN2
) -> DeviceMemory:
    """Memory with the states of an engine's lanes set: the functional form of `nki.isa.rand_set_state`.

    Args:
        src_seeds: an SBUF reference `[P, 6]`, or `[P, 24]` for the Vector Engine, of uint32.
        state: an SBUF reference of that shape to the states of the lanes.
        engine: gpsimd, or, from NeuronCore-v4 on, vector.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = RandSetState(
        src_seeds=resolve(src_seeds, memory.buffer),
        state=resolve(state, memory.buffer),
        engine=engine,
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
