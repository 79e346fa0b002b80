"""`nki.isa.nc_find_index8`: where eight values first are in each partition, on the Vector Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.isa.instruction import Instruction
from jnki.isa.operands import store_where
from jnki.isa.vector.eights import EIGHT, check_data, check_data_mask, check_eight, enabled_rows, first_match, rows
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

INDEX_TYPES = ("uint16", "uint32")


@dataclass(frozen=True, kw_only=True)
class NcFindIndex8(Instruction):
    """`dst[p, k]` = the first place, from 0, at which `data[p, ...]` equals `vals[p, k]`, both as float32.

    A masked-off element of the data equals nothing; a partition without any enabled element is not written. A value
    that is not there has the largest index of the type.

    In the current dialect a value that `vals` repeats takes the next such place each time: `successive`.

    Attributes:
        dst: `[P, 8]` of uint16 or uint32 in SBUF or PSUM.
        data: `[P, F...]` in SBUF or PSUM, 8 to 16384 elements per partition; `mask` is over it.
        vals: eight values for each partition.
        successive: whether the second of equal values looks for the second place, and so on.
    """

    name: ClassVar[str] = "nc_find_index8"
    row_results: ClassVar[tuple[str, ...]] = ("dst",)

    dst: Access
    data: Access
    vals: Access
    successive: bool = False

    def check(self, target: Target) -> None:
        check_data(self, "data", self.data, target)
        check_eight(self, "vals", self.vals, self.data, target)
        check_eight(self, "dst", self.dst, self.data, target)
        if self.dst.dtype.name not in INDEX_TYPES:
            raise self.error(
                "nc_find_index8.dtype",
                "the indices have the wrong element type",
                given=str(self.dst.dtype),
                allowed=", ".join(INDEX_TYPES),
            )
        check_data_mask(self, "data", self.data)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        data, values = rows(memory, self.data, at), rows(memory, self.vals, at)
        enabled = enabled_rows(self, self.data, at)
        passed = self._passed_over(values)
        places, there = jax.vmap(
            lambda value, after: first_match(data, value, enabled, after), (1, None if passed is None else 1), 1
        )(values, passed)
        missing = jnp.asarray(jnp.iinfo(self.dst.dtype.storage).max, self.dst.dtype.storage)
        index = jnp.where(there, places.astype(missing.dtype), missing)
        written = None if enabled is None else jnp.any(enabled, axis=1)
        if written is not None:
            written = written.reshape(-1, *(1,) * (len(self.dst.shape) - 1))
        return store_where(memory, self.dst, index, at, written)

    def _passed_over(self, values: jax.Array) -> jax.Array | None:
        """How many places earlier equal values have taken, `int32[P, 8]`."""
        if not self.successive:
            return None
        equal = values[:, :, None] == values[:, None, :]
        earlier = jnp.tril(jnp.ones((EIGHT, EIGHT), bool), -1)
        return jnp.sum(equal & earlier, axis=2, dtype=jnp.int32)


@takes_target
def nc_find_index8(
    memory: DeviceMemory,
    *,
    dst: Ref,
    data: Ref,
    vals: Ref,
    successive: bool = False,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with the places of eight values in each partition: the functional form of `nki.isa.nc_find_index8`.

    Args:
        dst: an SBUF or PSUM reference `[P, 8]` of uint16 or uint32.
        data: an SBUF or PSUM reference with 8 to 16384 elements per partition.
        vals: an SBUF or PSUM reference `[P, 8]`.
        successive: whether the second of equal values looks for the second place, as in the current dialect.
        mask: over `data`; what is off equals nothing.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = NcFindIndex8(
        dst=resolve(dst, memory.buffer),
        data=resolve(data, memory.buffer),
        vals=resolve(vals, memory.buffer),
        successive=successive,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
