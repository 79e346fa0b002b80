"""`nki.isa.core_barrier`: both cores of a launch wait until each has come here."""

from dataclasses import dataclass
from typing import ClassVar

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.rules import wrong_memory
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import Target

FIRST_VERSION = 3


@dataclass(frozen=True, kw_only=True)
class CoreBarrier(Instruction):
    """Neither core goes on before both are here. It moves nothing.

    Attributes:
        data: the tensor in shared HBM that they share, or one in the SBUF of this core; None in a finished program.
        engine: which engine of each core waits.
    """

    name: ClassVar[str] = "core_barrier"
    writes: ClassVar[tuple[str, ...]] = ()

    data: Access | None = None
    engine: Engine = Engine.gpsimd

    def check(self, target: Target) -> None:
        check_version(self, target)
        if self.data is not None and self.data.buffer.space is Space.PSUM:
            raise wrong_memory(self, "data", self.data, "a tensor in nl.shared_hbm, or in nl.sbuf")
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        return memory


def check_version(instruction: Instruction, target: Target) -> None:
    """The target has cores that share their HBM.

    Raises:
        RuleError: `<instruction>.version`.
    """
    if target.neuron_core_version < FIRST_VERSION:
        raise instruction.error(
            f"{instruction.name}.version",
            "cores that share their HBM are new in NeuronCore-v3",
            given=f"{target.name}, NeuronCore-v{target.neuron_core_version}",
            allowed=f"NeuronCore-v{FIRST_VERSION} or newer",
        )
