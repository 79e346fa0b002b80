"""`nki.isa.local_gather`: elements of 16 partitions gathered by the indices in them, on each GpSimd core."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.gpsimd.cores import PARTITIONS_PER_CORE
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store_where
from jnki.isa.rules import check_mask, check_on_chip, check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Fault, Loops
from jnki.memory.bits import as_bits
from jnki.memory.sites import NO_SITE, Site, intern
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

MOST_INDICES = 4096
ELEMENTS_PER_INDEX = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, kw_only=True)
class LocalGather(Instruction):
    """For each core and each of its partitions `p`: `dst[p, k, e] = src_buffer[p, indices[k] + e]`.

    `indices` are those of the core's 16 partitions of `index`, along the partitions first. One that is out of bounds
    moves nothing, and is a fault.

    Attributes:
        dst: `[P, num_valid_indices * num_elem_per_idx]` in any free shape, in SBUF, of the type of `src_buffer`.
        src_buffer: `[P, F...]` in SBUF, its free axes as one.
        index: `[P, N...]` of uint16 in SBUF; P is a multiple of 16.
        num_elem_per_idx: how many elements each index reads.
        num_valid_indices: how many indices each core uses, from the first one on.
    """

    name: ClassVar[str] = "local_gather"

    dst: Access
    src_buffer: Access
    index: Access
    num_elem_per_idx: int
    num_valid_indices: int

    @property
    def may_fault(self) -> bool:
        return self.dst.size > 0 or self.has_offset

    def check(self, target: Target) -> None:
        for operand in ("src_buffer", "index", "dst"):
            check_on_chip(self, operand, getattr(self, operand), psum=False)
            check_partitions(self, operand, getattr(self, operand), target)
        partitions = self.src_buffer.shape[0]
        if self.index.shape[0] != partitions or partitions % PARTITIONS_PER_CORE:
            raise self.error(
                "local_gather.partitions",
                "src_buffer and index do not span the partitions of the same cores",
                given=f"src_buffer {list(self.src_buffer.shape)}, index {list(self.index.shape)}",
                allowed=f"the same size of axis 0, a multiple of {PARTITIONS_PER_CORE}",
            )
        self._check_types()
        self._check_counts()
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_types(self) -> None:
        if self.index.dtype.name != "uint16":
            raise self.error(
                "local_gather.index",
                "'index' has the wrong element type",
                given=str(self.index.dtype),
                allowed="uint16",
            )
        if self.dst.dtype != self.src_buffer.dtype:
            raise self.error(
                "local_gather.dtype",
                "a gather does not cast",
                given=f"src_buffer {self.src_buffer.dtype}, dst {self.dst.dtype}",
                allowed="one element type",
            )

    def _check_counts(self) -> None:
        if self.num_elem_per_idx not in ELEMENTS_PER_INDEX:
            raise self.error(
                "local_gather.num_elem_per_idx",
                "an index does not read so many elements",
                given=str(self.num_elem_per_idx),
                allowed=", ".join(map(str, ELEMENTS_PER_INDEX)),
            )
        there = PARTITIONS_PER_CORE * math.prod(self.index.shape[1:])
        if not 0 < self.num_valid_indices <= min(there, MOST_INDICES):
            raise self.error(
                "local_gather.num_valid_indices",
                "a core does not use so many indices",
                given=f"{self.num_valid_indices}, index {list(self.index.shape)}",
                allowed=f"1 to {min(there, MOST_INDICES)}: at most {MOST_INDICES}, of {there} that each core has",
            )
        partitions, gathered = self.src_buffer.shape[0], self.num_valid_indices * self.num_elem_per_idx
        if self.dst.shape[0] != partitions or math.prod(self.dst.shape[1:]) != gathered:
            raise self.error(
                "local_gather.shape",
                "dst does not have one element for each that is gathered",
                given=f"dst {list(self.dst.shape)}",
                allowed=f"[{partitions}, {self.num_valid_indices}, {self.num_elem_per_idx}]",
            )

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        partitions = self.src_buffer.shape[0]
        cores = partitions // PARTITIONS_PER_CORE
        source = load(memory, self.src_buffer, at).reshape(partitions, -1)
        size, width = source.shape[1], self.num_elem_per_idx
        tile = load(memory, self.index, at).reshape(cores, PARTITIONS_PER_CORE, -1)
        indices = jnp.swapaxes(tile, 1, 2).reshape(cores, -1)[:, : self.num_valid_indices].astype(jnp.int32)
        valid = indices <= size - width
        starts = jnp.repeat(jnp.where(valid, indices, 0), PARTITIONS_PER_CORE, axis=0)
        places = starts[:, :, None] + jnp.arange(width, dtype=jnp.int32)
        places = jnp.minimum(places.reshape(partitions, -1), max(size - 1, 0))
        value = as_bits(lambda t, i: jnp.take_along_axis(t, i, axis=1), source, indices=(places,))
        moves = jnp.repeat(jnp.repeat(valid, PARTITIONS_PER_CORE, axis=0), width, axis=1).reshape(self.dst.shape)
        enabled = moves
        asked: jax.Array = jnp.ones_like(valid)
        if self.mask is not None:
            on = self.mask.evaluate(self.dst.shape, at)
            enabled = moves & on
            asked = jnp.any(on.reshape(cores, PARTITIONS_PER_CORE, self.num_valid_indices, width), axis=(1, 3))
        after = store_where(memory, self.dst, value, at, enabled)
        return after.with_fault(after.fault.or_else(self._fault(indices, asked & ~valid, at)))

    def _fault(self, indices: jax.Array, bad: jax.Array, at: Loops) -> Fault:
        """The fault of the first bad index that an enabled element asks for: core by core, in the order of indices."""
        occurred, first = jnp.any(bad), jnp.argmax(bad.reshape(-1)).astype(jnp.int32)
        zero = jnp.int32(0)
        return Fault(
            site=jnp.where(occurred, jnp.int32(intern(self._site(at))), jnp.int32(NO_SITE)),
            row=jnp.where(occurred, first // bad.shape[1] * PARTITIONS_PER_CORE, zero),
            index=jnp.where(occurred, indices.reshape(-1)[first], zero),
            iteration=jnp.where(occurred, at.iteration(), zero),
        )

    def _site(self, at: Loops) -> Site:
        access = self.src_buffer
        return Site(
            instruction=self.name,
            operand="src_buffer",
            tensor=access.buffer.name,
            axis=1,
            axis_size=math.prod(access.shape[1:]),
            size=access.buffer.size,
            offset=access.offset,
            index_step=access.dims[-1].step,
            row_step=access.dims[0].step,
            signed=True,
            loops=tuple(symbol for symbol, _ in at.values),
            unrolled=self.unrolled,
            location=self.location,
        )


def counts(index: Access, num_elem_per_idx: Any, num_valid_indices: Any) -> tuple[int, int]:
    """The two counts of a call as numbers; all indices of a core by default."""
    found = {
        "num_elem_per_idx": num_elem_per_idx,
        "num_valid_indices": PARTITIONS_PER_CORE * math.prod(index.shape[1:])
        if num_valid_indices is None
        else num_valid_indices,
    }
    for name, given in found.items():
        number = as_number("local_gather", given)
        if not isinstance(number, (int, np.integer)) or isinstance(number, bool):
            raise RuleError(
                f"local_gather.{name}", f"local_gather: '{name}' is no integer", given=repr(given), allowed="an integer"
            )
        found[name] = int(number)
    return found["num_elem_per_idx"], found["num_valid_indices"]


@takes_target
def local_gather(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src_buffer: Ref,
    index: Ref,
    num_elem_per_idx: int = 1,
    num_valid_indices: int | None = None,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with elements gathered within the partitions of each core: the functional form of `nki.isa.local_gather`.

    Args:
        dst, src_buffer: SBUF references of one type.
        index: an SBUF reference of uint16: offsets into the partitions of `src_buffer`.
        num_elem_per_idx: how many elements each index reads.
        num_valid_indices: how many indices each core uses; all of its 16 partitions by default.
        mask: over `dst`; where false, it stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    indices = resolve(index, memory.buffer)
    width, valid = counts(indices, num_elem_per_idx, num_valid_indices)
    instruction = LocalGather(
        dst=resolve(dst, memory.buffer),
        src_buffer=resolve(src_buffer, memory.buffer),
        index=indices,
        num_elem_per_idx=width,
        num_valid_indices=valid,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
