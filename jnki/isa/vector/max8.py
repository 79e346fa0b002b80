"""`nki.isa.max8`: the eight largest values of each partition, on the Vector Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jax import lax

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.isa.instruction import Instruction
from jnki.isa.operands import store_float32
from jnki.isa.ranking import sort_keys
from jnki.isa.vector.eights import EIGHT, check_data, check_data_mask, check_eight, enabled_rows, rows
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_OFF = np.int32(np.iinfo(np.int32).min)


@dataclass(frozen=True, kw_only=True)
class Max8(Instruction):
    """`dst[p, k] = cast(the k-th largest of src[p, ...])`, from the largest down.

    Equal values count as often as they are there, NaN counts as the largest. A masked-off element takes no part; where
    fewer than eight are enabled, the rest of `dst` is not written.

    Attributes:
        dst: `[P, 8]` in SBUF or PSUM.
        src: `[P, F...]` in SBUF or PSUM, 8 to 16384 elements per partition; `mask` is over it.
    """

    name: ClassVar[str] = "max8"
    row_results: ClassVar[tuple[str, ...]] = ("dst",)

    dst: Access
    src: Access

    def check(self, target: Target) -> None:
        check_data(self, "src", self.src, target)
        check_eight(self, "dst", self.dst, self.src, target)
        check_data_mask(self, "src", self.src)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        values, enabled = rows(memory, self.src, at), enabled_rows(self, self.src, at)
        keys = sort_keys(values)
        if enabled is not None:
            keys = jnp.where(enabled, keys, _OFF)
        _, places = lax.top_k(keys, EIGHT)
        largest = jnp.take_along_axis(values, places, axis=1)
        there = None
        if enabled is not None:
            there = lax.broadcasted_iota(jnp.int32, largest.shape, 1) < jnp.sum(enabled, axis=1, keepdims=True)
        return store_float32(memory, self.dst, largest, at, there)


@takes_target
def max8(memory: DeviceMemory, *, dst: Ref, src: Ref, mask: Any = None, target: Target = TRN2) -> DeviceMemory:
    """Memory with the eight largest values of each partition: the functional form of `nki.isa.max8`.

    Args:
        dst: an SBUF or PSUM reference `[P, 8]`.
        src: an SBUF or PSUM reference with 8 to 16384 elements per partition.
        mask: over `src`; what is off takes no part.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Max8(
        dst=resolve(dst, memory.buffer),
        src=resolve(src, memory.buffer),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
