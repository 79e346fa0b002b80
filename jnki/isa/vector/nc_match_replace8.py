"""`nki.isa.nc_match_replace8`: eight values of each partition replaced by a constant, on the Vector Engine."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.constants import as_number, constant
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store, store_where
from jnki.isa.rules import check_compute_tile, check_same_tile
from jnki.isa.vector.eights import check_data, check_data_mask, check_eight, enabled_rows, first_match, rows
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import chosen
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

INDEX_TYPES = ("uint16", "uint32", "int32")


@dataclass(frozen=True, kw_only=True)
class NcMatchReplace8(Instruction):
    """`dst = cast(data)`, but `imm` where an element is the first to equal one of eight values, one after the other.

    The second value looks at what the first one has left, so that equal values replace one element each, and `imm`
    itself can be found. A value that is not there replaces nothing, and its index is 0. What the mask leaves out equals
    nothing and is not written; a partition without any enabled element has no indices written.

    In the current dialect the last value comes first, and the first one last: `last_first`. That matters where values
    are equal, or equal to `imm`.

    Attributes:
        dst, data: `[P, F...]` in SBUF or PSUM, at most 16384 elements per partition; `mask` is over it.
        vals: eight values for each partition, in SBUF or PSUM.
        imm: a number, taken as float32.
        dst_idx: eight places for each partition, or None.
        last_first: whether the values are looked for from the last one to the first one.
    """

    name: ClassVar[str] = "nc_match_replace8"
    writes: ClassVar[tuple[str, ...]] = ("dst", "dst_idx")
    row_results: ClassVar[tuple[str, ...]] = ("dst_idx",)

    dst: Access
    data: Access
    vals: Access
    imm: float
    dst_idx: Access | None = None
    last_first: bool = False

    def check(self, target: Target) -> None:
        check_data(self, "data", self.data, target, least=1)
        check_compute_tile(self, "dst", self.dst, target)
        check_same_tile(self, self.dst, self.data)
        check_eight(self, "vals", self.vals, self.data, target)
        if self.dst_idx is not None:
            check_eight(self, "dst_idx", self.dst_idx, self.data, target)
            if self.dst_idx.dtype.name not in INDEX_TYPES:
                raise self.error(
                    "nc_match_replace8.dst_idx",
                    "the indices have the wrong element type",
                    given=str(self.dst_idx.dtype),
                    allowed=", ".join(INDEX_TYPES),
                )
        check_data_mask(self, "data", self.data)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        data, values = rows(memory, self.data, at), rows(memory, self.vals, at)
        enabled = enabled_rows(self, self.data, at)
        # The constant is compared as an element of the data, whose type it would have in place.
        left_behind = cast(constant(self.imm, self.data.dtype), self.data.dtype, float32)
        column = lax.broadcasted_iota(jnp.int32, data.shape, 1)

        def replacing(replaced: jax.Array, value: jax.Array) -> tuple[jax.Array, jax.Array]:
            place, there = first_match(jnp.where(replaced, left_behind, data), value, enabled)
            return replaced | ((column == place[:, None]) & there[:, None]), place

        # Comparisons have no derivative; nothing of it is to travel through the scan.
        nothing = (column < 0) & (data != data)
        data, values = lax.stop_gradient(data), lax.stop_gradient(values)
        replaced, places = lax.scan(replacing, nothing, values.T, reverse=self.last_first)
        kept = cast(load(memory, self.data, at), self.data.dtype, self.dst.dtype).reshape(self.dst.shape)
        new = jnp.broadcast_to(constant(self.imm, self.dst.dtype), self.dst.shape)
        after = store_where(
            memory,
            self.dst,
            chosen(replaced.reshape(self.dst.shape), new, kept),
            at,
            None if enabled is None else enabled.reshape(self.dst.shape),
        )
        if self.dst_idx is None:
            return after
        index = places.T.astype(self.dst_idx.dtype.storage).reshape(self.dst_idx.shape)
        if enabled is None:
            return store(after, self.dst_idx, index, at)
        written = jnp.any(enabled, axis=1).reshape(-1, *(1,) * (len(self.dst_idx.shape) - 1))
        return store_where(after, self.dst_idx, index, at, written)

    def only_dst(self) -> Instruction:
        return replace(self, dst_idx=None)


@takes_target
def nc_match_replace8(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data: Ref,
    vals: Ref,
    imm: float,
    dst_idx: Ref | None = None,
    last_first: bool = False,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with eight values of each partition replaced: the functional form of `nki.isa.nc_match_replace8`.

    Args:
        dst, data: SBUF or PSUM references with equal partitions and elements per partition.
        vals: an SBUF or PSUM reference `[P, 8]`.
        imm: a number.
        dst_idx: None, or an SBUF or PSUM reference `[P, 8]`, which gets the places of what was replaced.
        last_first: whether the values are looked for from the last one to the first one, as in the current dialect.
        mask: over `data`; what is off equals nothing and is not written.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = NcMatchReplace8(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        vals=resolve(vals, memory.buffer),
        imm=float(as_number("nc_match_replace8", imm)),
        dst_idx=None if dst_idx is None else resolve(dst_idx, memory.buffer),
        last_first=last_first,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
