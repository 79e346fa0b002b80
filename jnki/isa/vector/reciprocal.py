"""`nki.isa.reciprocal`: one over each element, on the Vector Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store, where_enabled
from jnki.isa.operators import OPERATORS
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Reciprocal(Instruction):
    """`dst[i] = cast(1 / data[i])`, in float32.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements.
    """

    name: ClassVar[str] = "reciprocal"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    data: Access

    def check(self, target: Target) -> None:
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        check_same_tile(self, self.dst, self.data)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        x = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(self.dst.shape)
        x = where_enabled(x, self.mask, self.dst.shape, at)
        return store(
            memory, self.dst, cast(OPERATORS["reciprocal"].function(x), float32, self.dst.dtype), at, self.mask
        )


@takes_target
def reciprocal(memory: DeviceMemory, *, dst: Ref, data: Ref, mask: Any = None, target: Target = TRN2) -> DeviceMemory:
    """Memory with one over each element of a tile: the functional form of `nki.isa.reciprocal`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition; types may differ.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Reciprocal(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
