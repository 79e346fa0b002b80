"""`nki.isa.sequence_bounds`: where the segment of each element begins and ends, on the GpSimd Engine."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, int32
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.rules import check_on_chip
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

TYPES = ("float32", "int32")


@dataclass(frozen=True, kw_only=True)
class SequenceBounds(Instruction):
    """`dst[0, 0, i]` is where the run of equal ids around element `i` begins, `dst[0, 1, i]` where it ends.

    Where the id is 0 (padding) these are `n` and -1.

    Attributes:
        dst: `[1, 2, n]` in SBUF, of float32 or int32.
        segment_ids: `[1, n]` in SBUF, of float32 or int32.
    """

    name: ClassVar[str] = "sequence_bounds"

    dst: Access
    segment_ids: Access

    def check(self, target: Target) -> None:
        for operand, access in (("segment_ids", self.segment_ids), ("dst", self.dst)):
            check_on_chip(self, operand, access, psum=False)
            if access.dtype.name not in TYPES:
                raise self.error(
                    "sequence_bounds.dtype",
                    f"'{operand}' has the wrong element type",
                    given=str(access.dtype),
                    allowed=" or ".join(TYPES),
                )
        ids = self.segment_ids.shape
        if len(ids) != 2 or ids[0] != 1:
            raise self.error(
                "sequence_bounds.shape",
                "'segment_ids' is not one row",
                given=str(list(ids)),
                allowed="[1, n]",
            )
        if self.dst.shape != (1, 2, ids[1]):
            raise self.error(
                "sequence_bounds.shape",
                "'dst' does not have two numbers for each id",
                given=f"dst {list(self.dst.shape)}, segment_ids {list(ids)}",
                allowed=f"[1, 2, {ids[1]}]",
            )
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        ids = load(memory, self.segment_ids, at)
        if not ids.size:
            return memory
        count = ids.shape[1]
        place = lax.broadcasted_iota(jnp.int32, ids.shape, 1)
        changes = ids[:, 1:] != ids[:, :-1]
        edge = jnp.ones((1, 1), bool)
        starts = jnp.concatenate([edge, changes], axis=1)
        ends = jnp.concatenate([changes, edge], axis=1)
        first = lax.cummax(jnp.where(starts, place, 0), axis=1)
        last = lax.cummin(jnp.where(ends, place + 1, count), axis=1, reverse=True)
        padding = ids == 0
        bounds = jnp.stack([jnp.where(padding, count, first), jnp.where(padding, -1, last)], axis=1)
        return store(memory, self.dst, cast(bounds, int32, self.dst.dtype), at, self.mask)


@takes_target
def sequence_bounds(memory: DeviceMemory, *, dst: Ref, segment_ids: Ref, target: Target = TRN2) -> DeviceMemory:
    """Memory with begin and end of each element's segment: the functional form of `nki.isa.sequence_bounds`.

    Args:
        dst: an SBUF reference `[1, 2, n]` of float32 or int32.
        segment_ids: an SBUF reference `[1, n]` of float32 or int32.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = SequenceBounds(
        dst=resolve(dst, memory.buffer), segment_ids=resolve(segment_ids, memory.buffer), location=user_location()
    )
    instruction.check(target)
    return instruction.execute(memory)
