"""`nki.language.gather_flattened`: each partition picks elements of its own, by index into its flattened free axes."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.affine import ZERO
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, unwritten
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.fault import Fault
from jnki.memory.sites import NO_SITE, Site, intern
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_RANKS = (2, 3, 4)


@dataclass(frozen=True, kw_only=True)
class GatherFlattened(Instruction):
    """`dst[p, i] = cast(data[p, indices[p, i]])`, all free axes of each operand taken as one.

    An index out of bounds is a fault, as that of a DMA, and its element is what memory holds that nobody has written.

    Attributes:
        dst: `[P, I...]`, with as many elements per partition as `indices`.
        data: `[P, F...]`.
        indices: `[P, I...]` of uint32.
    """

    name: ClassVar[str] = "gather_flattened"
    shared_dims: ClassVar[SharedDims] = "partition"

    dst: Access
    data: Access
    indices: Access

    @property
    def may_fault(self) -> bool:
        return True

    @property
    def free_size(self) -> int:
        """How many elements of `data` there are to pick from, in each partition."""
        return math.prod(self.data.shape[1:])

    def check(self, target: Target) -> None:
        for operand, access in self.operands().items():
            check_compute_tile(self, operand, access, target)
        check_same_tile(self, self.dst, self.indices)
        if self.data.shape[0] != self.indices.shape[0]:
            raise self.error(
                "err_num_partition_mismatch",
                "data and indices span different numbers of partitions",
                given=f"data {list(self.data.shape)}, indices {list(self.indices.shape)}",
                allowed="the same size of axis 0: each partition picks from itself",
            )
        for operand, access in (("data", self.data), ("indices", self.indices)):
            if len(access.shape) not in _RANKS:
                raise self.error(
                    "err_exceed_max_supported_dimension",
                    f"'{operand}' has too many or too few axes",
                    given=f"{operand} {list(access.shape)}",
                    allowed="2, 3 or 4 axes",
                )
        if self.indices.dtype.name != "uint32":
            raise self.error(
                "gather_flattened.index_dtype",
                "indices are of the wrong type",
                given=f"indices of {self.indices.dtype}",
                allowed="uint32",
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        partitions, size = self.dst.shape[0], self.free_size
        data = cast(load(memory, self.data, at), self.data.dtype, self.dst.dtype).reshape(partitions, size)
        indices = load(memory, self.indices, at).reshape(partitions, -1)
        inside = indices < size
        nothing = jnp.asarray(unwritten(self.dst.dtype))
        if size:
            found = jnp.take_along_axis(data, jnp.where(inside, indices, 0).astype(jnp.int32), axis=1)
            value = jnp.where(inside, found, nothing)
        else:
            value = jnp.broadcast_to(nothing, indices.shape)
        memory = memory.with_fault(memory.fault.or_else(self._fault(indices, inside, at)))
        return store(memory, self.dst, value.reshape(self.dst.shape), at, self.mask)

    def _fault(self, indices: jax.Array, inside: jax.Array, at: Loops) -> Fault:
        """The first index, in row-major order, that is out of bounds where the mask is on."""
        bad = ~inside.reshape(-1)
        if self.mask is not None:
            bad &= self.mask.evaluate(self.dst.shape, at).reshape(-1)
        if not bad.size:
            return Fault()
        occurred, first = jnp.any(bad), jnp.argmax(bad).astype(jnp.int32)
        site = Site(
            instruction=self.name,
            operand="data",
            tensor=self.data.buffer.name,
            axis=1,
            axis_size=self.free_size,
            size=self.free_size,
            offset=ZERO,
            index_step=1,
            row_step=0,
            signed=False,
            loops=tuple(symbol for symbol, _ in at.values),
            unrolled=self.unrolled,
            location=self.location,
        )
        zero = jnp.int32(0)
        index = lax.bitcast_convert_type(indices.reshape(-1)[first], jnp.int32)
        return Fault(
            site=jnp.where(occurred, jnp.int32(intern(site)), jnp.int32(NO_SITE)),
            row=jnp.where(occurred, first, zero),
            index=jnp.where(occurred, index, zero),
            iteration=jnp.where(occurred, at.iteration(), zero),
        )


@takes_target
def gather_flattened(
    memory: DeviceMemory, *, dst: Ref, data: Ref, indices: Ref, mask: Any = None, target: Target = TRN2
) -> DeviceMemory:
    """Memory with elements of `data`, picked by index, in `dst`: the functional form of `nl.gather_flattened`.

    Args:
        dst, data, indices: SBUF or PSUM references; `indices` are uint32, into the flattened free axes of `data`.
        mask: where false, `dst` stays as it was and no index is checked.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = GatherFlattened(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        indices=resolve(indices, memory.buffer),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
