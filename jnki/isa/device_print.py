"""`nki.language.device_print`: prints a tile while the kernel runs, through `jax.debug.print`."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load
from jnki.isa.rules import check_mask
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.target import Target


@dataclass(frozen=True, kw_only=True)
class DevicePrint(Instruction):
    """Prints `prefix` and the values of `src`; memory stays as it is. A masked-off element prints as zero."""

    name: ClassVar[str] = "device_print"
    writes: ClassVar[tuple[str, ...]] = ()
    has_side_effect: ClassVar[bool] = True

    src: Access
    prefix: str

    def check(self, target: Target) -> None:
        check_mask(self, "src", self.src)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        tile = load(memory, self.src, at)
        if self.mask is not None:
            tile = jnp.where(self.mask.evaluate(self.src.shape, at), tile, jnp.zeros((), tile.dtype))
        jax.debug.print("{prefix} {tile}", prefix=self.prefix, tile=tile, ordered=False)
        return memory
