"""`nki.isa.nonzero_with_count`: the places of elements that are not zero, and how many there are, on GpSimd."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.isa.gpsimd.cores import first_partitions
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.rules import check_int32, check_no_mask, check_on_chip, check_partitions, check_type, check_version
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_TYPES = ("float32", "int32")


@dataclass(frozen=True, kw_only=True)
class NonzeroWithCount(Instruction):
    """In partitions 0, 16, 32, ...: `dst[p] = places of the nonzero elements of src[p], padding, how many there are`.

    Places count from `index_offset`, in wrapping int32 arithmetic. All other partitions of `dst` stay as they were. NaN
    is not zero; -0.0 is.

    Attributes:
        dst: `[P, T + 1]` of int32 in SBUF, in any free shape.
        src: `[P, T]` of float32 or int32 in SBUF, its free axes as one.
        index_offset: what each place is larger by; 32 bits.
        padding_val: what stands between the places and the count; 32 bits.
    """

    name: ClassVar[str] = "nonzero_with_count"

    dst: Access
    src: Access
    index_offset: int = 0
    padding_val: int = -1

    @property
    def reads_destination(self) -> bool:
        """The partitions in between keep what they had."""
        return self.dst.shape[0] > 1

    @property
    def is_accumulation(self) -> bool:
        return False

    def check(self, target: Target) -> None:
        check_version(self, target, 3)
        for operand, access, types in (("src", self.src, _TYPES), ("dst", self.dst, ("int32",))):
            check_on_chip(self, operand, access, psum=False)
            check_partitions(self, operand, access, target)
            check_type(self, operand, access, types)
        if self.dst.shape[0] != self.src.shape[0]:
            raise self.error(
                "err_num_partition_mismatch",
                "dst and src span different numbers of partitions",
                given=f"dst {list(self.dst.shape)}, src {list(self.src.shape)}",
                allowed="the same size of axis 0",
            )
        if math.prod(self.dst.shape[1:]) != math.prod(self.src.shape[1:]) + 1:
            raise self.error(
                "nonzero_with_count.element_count",
                "dst does not have one element more per partition than src",
                given=f"dst {list(self.dst.shape)}, src {list(self.src.shape)}",
                allowed=f"[{self.src.shape[0]}, {math.prod(self.src.shape[1:]) + 1}]",
            )
        for argument, number in (("index_offset", self.index_offset), ("padding_val", self.padding_val)):
            check_int32(self, argument, number)
        check_no_mask(self)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        source, to = first_partitions(self.src), first_partitions(self.dst)
        found = load(memory, source, at).reshape(source.shape[0], -1) != 0
        return store(memory, to, self._listed(found).reshape(to.shape), at)

    def _listed(self, found: jax.Array) -> jax.Array:
        """`int32[R, T + 1]` from `bool[R, T]`."""
        rows, size = found.shape
        count = jnp.sum(found, axis=1, keepdims=True, dtype=jnp.int32)
        rank = jnp.cumsum(found, axis=1, dtype=jnp.int32) - 1
        row = lax.broadcasted_iota(jnp.int32, found.shape, 0)
        place = lax.broadcasted_iota(jnp.int32, found.shape, 1) + jnp.int32(self.index_offset)
        padding = jnp.full((rows, size), self.padding_val, jnp.int32)
        listed = padding.at[row, jnp.where(found, rank, size)].set(place, mode="drop")
        return jnp.concatenate([listed, count], axis=1)


@takes_target
def nonzero_with_count(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    index_offset: int = 0,
    padding_val: int = -1,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with places and number of the nonzero elements: the functional form of `nki.isa.nonzero_with_count`.

    Args:
        dst: an SBUF reference of int32 with one element more per partition than `src`.
        src: an SBUF reference of float32 or int32; only partitions 0, 16, 32, ... are read, and written in `dst`.
        index_offset, padding_val: integers of 32 bits.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = NonzeroWithCount(
        dst=resolve(dst, memory.buffer),
        src=resolve(src, memory.buffer),
        index_offset=index_offset,
        padding_val=padding_val,
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
