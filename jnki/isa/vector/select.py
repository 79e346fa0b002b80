"""`select`: elements of one tile or another as a condition tile says; what `nl.where` records, on the Vector Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import bool_, cast
from jnki.isa.constants import as_number, constant
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Select(Instruction):
    """`dst[i] = cast(on_true[i])` where `condition[i]` is not zero, else `dst[i] = cast(on_false[i])`.

    Equal types keep every bit. An element that is not selected takes no part: not its value, nor its gradient.

    Attributes:
        dst, condition, on_true: `[P, F...]` in SBUF or PSUM, equally many elements, of any types.
        on_false: such a tile, or a number.
    """

    name: ClassVar[str] = "select"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    condition: Access
    on_true: Access
    on_false: Access | float

    def check(self, target: Target) -> None:
        for operand, access in self.operands().items():
            check_compute_tile(self, operand, access, target)
            check_same_tile(self, self.dst, access)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        shape = self.dst.shape
        condition = cast(load(memory, self.condition, at), self.condition.dtype, bool_).reshape(shape)
        chosen = cast(load(memory, self.on_true, at), self.on_true.dtype, self.dst.dtype).reshape(shape)
        if isinstance(self.on_false, Access):
            other = cast(load(memory, self.on_false, at), self.on_false.dtype, self.dst.dtype).reshape(shape)
        else:
            other = constant(self.on_false, self.dst.dtype)
        return store(memory, self.dst, jnp.where(condition, chosen, other), at, self.mask)


@takes_target
def select(
    memory: DeviceMemory,
    *,
    dst: Ref,
    condition: Ref,
    on_true: Ref,
    on_false: Ref | float,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with elements of one operand or another as a condition tile says: `nki.language.where` without a kernel.

    Args:
        dst, condition, on_true: SBUF or PSUM references with equal partitions and elements per partition.
        on_false: such a reference, or a number.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    other = on_false if isinstance(on_false, Ref) else as_number("select", on_false)
    instruction = Select(
        dst=resolve(dst, memory.buffer),
        condition=resolve(condition, memory.buffer),
        on_true=resolve(on_true, memory.buffer),
        on_false=resolve(other, memory.buffer) if isinstance(other, Ref) else other,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
