"""`nki.isa.memset`: a tile filled with one constant, on the Vector or GpSimd Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import float8_e8m0fnu
from jnki.isa.constants import as_number, constant
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import store
from jnki.isa.rules import check_engine, check_mask, check_on_chip, check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Memset(Instruction):
    """`dst[...] = value`.

    Attributes:
        dst: a tile in SBUF or PSUM.
        value: a number or a boolean; converted to the type of `dst` as a cast converts it.
        engine: vector or gpsimd.
    """

    name: ClassVar[str] = "memset"
    shared_dims: ClassVar[SharedDims] = "all"
    takes_opaque: ClassVar[bool] = True

    dst: Access
    value: float | int | bool
    engine: Engine = Engine.unknown

    def check(self, target: Target) -> None:
        check_on_chip(self, "dst", self.dst)
        check_partitions(self, "dst", self.dst, target)
        check_engine(self, self.engine, (Engine.vector, Engine.gpsimd))
        if self.engine is Engine.gpsimd and self.dst.buffer.space is Space.PSUM:
            raise self.error(
                "memset.engine",
                "the GpSimd Engine cannot access PSUM",
                given="gpsimd",
                allowed="vector, unknown",
            )
        if self.dst.dtype.is_opaque and (self.value != 0 or self.dst.dtype == float8_e8m0fnu):
            raise self.error(
                "memset.opaque",
                "a constant has no such element",
                given=f"{self.value!r} for {self.dst.dtype}",
                allowed="0 for packed elements; .view gives the same bytes another type",
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        kind = self.dst.dtype
        value = jnp.zeros((), kind.storage) if kind.is_opaque else constant(self.value, kind)
        return store(memory, self.dst, value, at, self.mask)


@takes_target
def memset(
    memory: DeviceMemory,
    *,
    dst: Ref,
    value: float | int | bool,
    mask: Any = None,
    engine: Engine = Engine.unknown,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a tile filled with `value`: the functional form of `nki.isa.memset`.

    Args:
        dst: an SBUF or PSUM reference.
        value: a constant.
        mask: where false, `dst` stays as it was.
        engine: vector, gpsimd or unknown.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Memset(
        dst=resolve(dst, memory.buffer),
        value=as_number("memset", value),
        engine=engine,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
