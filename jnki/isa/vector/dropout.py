"""`nki.isa.dropout`: elements of a tile replaced by zero at random, on the Vector Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, per_partition, store, tiles
from jnki.isa.random_numbers import check_state, drawn
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile, check_vector
from jnki.isa.vector.tensor_copy import TensorCopy
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import chosen
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Dropout(Instruction):
    """`dst[i] = 0` where a uniform number from 0 up to 1 is below `prob`, else `dst[i] = cast(data[i])`.

    What stays is not scaled; between equal types it keeps every bit.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, equally many elements; of one type where `data` holds integers.
        prob: a number from 0 to 1, or a tile `[P, 1]`: float32 beside integers, else of any float type.
        state: the generator's registers, `uint32[1, 2]`.
    """

    name: ClassVar[str] = "dropout"
    writes: ClassVar[tuple[str, ...]] = ("dst", "state")
    registers: ClassVar[tuple[str, ...]] = ("state",)

    dst: Access
    data: Access
    prob: Access | float
    state: Access

    def reads(self) -> tuple[Access, ...]:
        return (*super().reads(), self.state)

    def redirected(self, dst: Access) -> Instruction:  # type: ignore[override]
        """A copy: to draw once more would drop other elements."""
        return TensorCopy(dst=dst, src=self.dst, mask=self.mask, location=self.location)

    def check(self, target: Target) -> None:
        for operand, access in (("data", self.data), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        check_same_tile(self, self.dst, self.data)
        check_state(self, self.state)
        if not self.data.dtype.is_float and self.dst.dtype != self.data.dtype:
            raise self.error(
                "dropout.dtype",
                "the result of integers has their type",
                given=f"data {self.data.dtype}, result {self.dst.dtype}",
                allowed=str(self.data.dtype),
            )
        self._check_probability(target)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_probability(self, target: Target) -> None:
        if not isinstance(self.prob, Access):
            if not 0 <= self.prob <= 1:
                raise self.error(
                    "dropout.prob", "the drop probability is none", given=str(self.prob), allowed="0.0 to 1.0"
                )
            return
        check_compute_tile(self, "prob", self.prob, target)
        check_vector(self, "prob", self.prob, self.data)
        of_floats = self.data.dtype.is_float
        if not self.prob.dtype.is_float or (not of_floats and self.prob.dtype != float32):
            raise self.error(
                "dropout.prob_dtype",
                "'prob' has the wrong element type",
                given=f"prob {self.prob.dtype}, data {self.data.dtype}",
                allowed="a float type" if of_floats else "float32, beside integers",
            )

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        shape = self.dst.shape
        enabled = None if self.mask is None else self.mask.evaluate(shape, at)
        kept = cast(load(memory, self.data, at), self.data.dtype, self.dst.dtype).reshape(shape)
        below = per_partition(memory, self.prob, float32, len(shape), at)
        uniform, memory = drawn(memory, self.state, shape, enabled, at)
        value = chosen(uniform < below, jnp.zeros_like(kept), kept)
        return store(memory, self.dst, value, at, self.mask)


@takes_target
def dropout(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data: Ref,
    prob: Ref | float,
    state: Ref,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with elements of a tile replaced by zero at random: the functional form of `nki.isa.dropout`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition.
        prob: the drop probability: a number, or a reference to `[P, 1]`.
        state: an SBUF reference to `uint32[1, 2]`, the generator's state; it counts the draw.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    state_access = tiles(memory, data=state)["data"]
    instruction = Dropout(
        mask=as_mask(mask),
        location=user_location(),
        state=state_access,
        **tiles(memory, dst=dst, data=data, prob=prob if isinstance(prob, Ref) else float(as_number("dropout", prob))),
    )
    instruction.check(target)
    return instruction.execute(memory)
