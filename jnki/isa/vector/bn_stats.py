"""`nki.isa.bn_stats`: count, mean and squared distance of the elements of each partition, on the Vector Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import Mask, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store_float32
from jnki.isa.reduced_mask import of_result
from jnki.isa.rules import check_compute_tile, check_mask
from jnki.isa.slopes import multiply
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

STATISTICS = 6


@dataclass(frozen=True, kw_only=True)
class BnStats(Instruction):
    """`dst[p] = count, mean, sum((x - mean)^2)` of the even elements of partition p, and the same of the odd ones.

    The first element of a partition is an even one. Where there is no odd one, its three numbers are 0. A masked-off
    element is left out and not counted; a partition without any enabled element is not written.

    Attributes:
        dst: `[P, 6]` in SBUF or PSUM.
        data: `[P, F...]` in SBUF or PSUM.
    """

    name: ClassVar[str] = "bn_stats"
    shared_dims: ClassVar[SharedDims] = "partition"

    dst: Access
    data: Access

    @property
    def result_mask(self) -> Mask | None:
        return of_result(self.mask, self.data.shape, range(1, len(self.data.shape)), self.dst.shape)

    def check(self, target: Target) -> None:
        check_compute_tile(self, "data", self.data, target)
        check_compute_tile(self, "dst", self.dst, target)
        count = math.prod(self.data.shape[1:])
        if count > target.bn_stats_fmax:
            raise self.error(
                "bn_stats.free_size",
                "'data' has too many elements per partition",
                given=f"{count} ({list(self.data.shape)})",
                allowed=f"at most {target.bn_stats_fmax} on {target.name}; nisa.bn_aggr joins several results",
            )
        if self.dst.shape[0] != self.data.shape[0] or math.prod(self.dst.shape[1:]) != STATISTICS:
            raise self.error(
                "bn_stats.shape",
                "dst does not have six elements for each partition of data",
                given=f"data {list(self.data.shape)}, dst {list(self.dst.shape)}",
                allowed=f"[{self.data.shape[0]}, {STATISTICS}]",
            )
        check_mask(self, "data", self.data)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.data.size == 0:
            return memory
        partitions = self.data.shape[0]
        x = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(partitions, -1)
        if self.mask is None:
            halves = [_moments(x[:, start::2], jnp.ones((), bool)) for start in (0, 1)]
            return store_float32(memory, self.dst, jnp.concatenate(halves, axis=1), at, None)
        on = jnp.broadcast_to(self.mask.evaluate(self.data.shape, at), self.data.shape).reshape(partitions, -1)
        is_odd = jnp.cumsum(on, axis=1, dtype=jnp.int32) % 2 == 0
        halves = [_moments(x, on & taken) for taken in (~is_odd, is_odd)]
        rows = jnp.repeat(on.any(axis=1, keepdims=True), STATISTICS, axis=1)
        return store_float32(memory, self.dst, jnp.concatenate(halves, axis=1), at, rows)


def _moments(x: jax.Array, taken: jax.Array) -> jax.Array:
    """Count, mean and sum of squared distances from it of the elements of each row, `[P, 3]`; 0 where there is none."""
    taken = jnp.broadcast_to(taken, x.shape)
    count = taken.sum(axis=1, keepdims=True, dtype=jnp.float32)
    mean = jnp.where(taken, x, 0).sum(axis=1, keepdims=True) / jnp.maximum(count, 1)
    distance = jnp.where(taken, x - mean, 0)
    return jnp.concatenate([count, mean, multiply(distance, distance).sum(axis=1, keepdims=True)], axis=1)


@takes_target
def bn_stats(memory: DeviceMemory, *, dst: Ref, data: Ref, mask: Any = None, target: Target = TRN2) -> DeviceMemory:
    """Memory with the statistics of a tile: the functional form of `nki.isa.bn_stats`.

    Args:
        dst: an SBUF or PSUM reference `[P, 6]`.
        data: an SBUF or PSUM reference.
        mask: over `data`; where false, an element is left out.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = BnStats(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
