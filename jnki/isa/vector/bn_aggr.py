"""`nki.isa.bn_aggr`: the mean and the variance that several `bn_stats` stand for, on the Vector Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

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

_PER_GROUP = 3


@dataclass(frozen=True, kw_only=True)
class BnAggr(Instruction):
    """`dst[p] = mean, variance` of all elements that the groups `count, mean, variance * count` of `data[p]` stand for.

    A group takes part where all three of its elements are enabled; a partition without any such group is not written.

    Attributes:
        dst: `[P, 2]` in SBUF or PSUM.
        data: `[P, F...]` in SBUF or PSUM, a multiple of three elements per partition.
    """

    name: ClassVar[str] = "bn_aggr"
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
        if count % _PER_GROUP:
            raise self.error(
                "bn_aggr.groups",
                "'data' is not made of groups of count, mean and variance times count",
                given=f"{count} elements per partition ({list(self.data.shape)})",
                allowed="a multiple of 3",
            )
        if self.dst.shape[0] != self.data.shape[0] or math.prod(self.dst.shape[1:]) != 2:
            raise self.error(
                "bn_aggr.shape",
                "dst does not have two elements for each partition of data",
                given=f"data {list(self.data.shape)}, dst {list(self.dst.shape)}",
                allowed=f"[{self.data.shape[0]}, 2]",
            )
        check_mask(self, "data", self.data)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.data.size == 0:
            return memory
        groups = (self.data.shape[0], -1, _PER_GROUP)
        x = cast(load(memory, self.data, at), self.data.dtype, float32).reshape(groups)
        rows = None
        if self.mask is not None:
            on = jnp.broadcast_to(self.mask.evaluate(self.data.shape, at), self.data.shape)
            taken = on.reshape(groups).all(axis=2, keepdims=True)
            x = jnp.where(taken, x, 0)
            rows = jnp.repeat(taken.any(axis=1), 2, axis=1)
        count, mean, squares = x[:, :, 0], x[:, :, 1], x[:, :, 2]
        total = count.sum(axis=1, keepdims=True)
        # A partition that is not written divides by 1, whose slope is finite.
        total = total if rows is None else jnp.where(rows[:, :1], total, 1)
        middle = multiply(count, mean).sum(axis=1, keepdims=True) / total
        distance = mean - middle
        between = multiply(count, multiply(distance, distance))
        variance = (squares + between).sum(axis=1, keepdims=True) / total
        return store_float32(memory, self.dst, jnp.concatenate([middle, variance], axis=1), at, rows)


@takes_target
def bn_aggr(memory: DeviceMemory, *, dst: Ref, data: Ref, mask: Any = None, target: Target = TRN2) -> DeviceMemory:
    """Memory with the mean and the variance that statistics stand for: the functional form of `nki.isa.bn_aggr`.

    Args:
        dst: an SBUF or PSUM reference `[P, 2]`.
        data: an SBUF or PSUM reference with what `bn_stats` has written, once or several times.
        mask: over `data`; where false for an element, its group of three is left out.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = BnAggr(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
