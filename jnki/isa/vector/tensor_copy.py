"""`nki.isa.tensor_copy`: a copy within SBUF and PSUM, on the Vector, Scalar or GpSimd Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import load, store
from jnki.isa.rules import (
    check_engine,
    check_keeps_opaque,
    check_mask,
    check_on_chip,
    check_partitions,
    check_same_tile,
)
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class TensorCopy(Instruction):
    """`dst[i] = cast(src[i])`, element by element in row-major order of both patterns.

    Equal types keep every bit, except on the Scalar Engine of NeuronCore-v2, which goes through float32.

    Attributes:
        dst, src: tiles in SBUF or PSUM with the same partitions and equally many elements in each.
        engine: vector, scalar or gpsimd; GpSimd cannot access PSUM.
        through_float32: set by `check` for the Scalar Engine of NeuronCore-v2.
    """

    name: ClassVar[str] = "tensor_copy"
    shared_dims: ClassVar[SharedDims] = "all"
    takes_opaque: ClassVar[bool] = True

    dst: Access
    src: Access
    engine: Engine = Engine.unknown
    through_float32: bool = False

    def check(self, target: Target) -> None:
        for operand, access in (("src", self.src), ("dst", self.dst)):
            check_on_chip(self, operand, access)
            check_partitions(self, operand, access, target)
        check_same_tile(self, self.dst, self.src)
        check_keeps_opaque(self, self.dst, self.src)
        check_engine(self, self.engine, (Engine.vector, Engine.scalar, Engine.gpsimd))
        on_psum = Space.PSUM in (self.src.buffer.space, self.dst.buffer.space)
        if self.engine is Engine.gpsimd and on_psum:
            raise self.error(
                "tensor_copy.engine",
                "the GpSimd Engine cannot access PSUM",
                given="gpsimd",
                allowed="vector, scalar, unknown",
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        tile = load(memory, self.src, at)
        if self.through_float32 and self.src.dtype == self.dst.dtype and not self.src.dtype.is_opaque:
            tile = cast(cast(tile, self.src.dtype, float32), float32, self.dst.dtype)
        value = cast(tile, self.src.dtype, self.dst.dtype).reshape(self.dst.shape)
        return store(memory, self.dst, value, at, self.mask)


def make(dst: Access, src: Access, mask: Any, engine: Engine, target: Target) -> TensorCopy:
    """A checked `TensorCopy`."""
    rounded = engine is Engine.scalar and target.neuron_core_version == 2
    copy = TensorCopy(
        dst=dst, src=src, engine=engine, mask=as_mask(mask), through_float32=rounded, location=user_location()
    )
    copy.check(target)
    return copy


@takes_target
def tensor_copy(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    mask: Any = None,
    engine: Engine = Engine.unknown,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with one tile copied to another on chip: the functional form of `nki.isa.tensor_copy`.

    Args:
        dst, src: SBUF or PSUM references with equal partitions and elements per partition; types may differ.
        mask: where false, `dst` stays as it was.
        engine: vector, scalar, gpsimd or unknown.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to, frm = resolve(dst, memory.buffer), resolve(src, memory.buffer)
    return make(to, frm, mask, engine, target).execute(memory)
