"""`nki.isa.tensor_copy_dynamic_src` and `_dst`: a copy on chip whose place in each partition is known at run time."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast
from jnki.isa.enums import engine as Engine
from jnki.isa.instruction import Instruction
from jnki.isa.operands import row_indices
from jnki.isa.rules import (
    check_compute_tile,
    check_engine,
    check_mask,
    check_offset,
    check_partitions,
    check_same_tile,
    check_tile,
    wrong_memory,
)
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.gather import read
from jnki.memory.row_faults import Rows, first_fault
from jnki.memory.rows import per_element, rows_in_bounds
from jnki.memory.scatter import write
from jnki.memory.update import update
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class TensorCopyDynamic(Instruction):
    """`dst[i] = cast(src[i])`, where one of them starts as far into each partition as an element of SBUF says.

    An offset from which the tile would leave its axis moves nothing, and is a fault.

    Attributes:
        dst, src: tiles in SBUF or PSUM with the same partitions and equally many elements in each.
        engine: vector, scalar or gpsimd; GpSimd cannot access PSUM.
    """

    is_addressing: ClassVar[bool] = True
    # Which operand may have the dynamic index.
    dynamic: ClassVar[str]

    dst: Access
    src: Access
    engine: Engine = Engine.unknown

    @property
    def may_fault(self) -> bool:
        return self._moved.indirect is not None and self.dst.size > 0

    @property
    def _moved(self) -> Access:
        access: Access = getattr(self, self.dynamic)
        return access

    def check(self, target: Target) -> None:
        for operand, access in (("src", self.src), ("dst", self.dst)):
            if operand == self.dynamic and access.indirect is not None:
                self._check_dynamic(operand, access, target)
            else:
                check_compute_tile(self, operand, access, target)
        check_same_tile(self, self.dst, self.src)
        check_engine(self, self.engine, (Engine.vector, Engine.scalar, Engine.gpsimd))
        if self.engine is Engine.gpsimd and Space.PSUM in (self.src.buffer.space, self.dst.buffer.space):
            raise self.error(
                f"{self.name}.engine",
                "the GpSimd Engine cannot access PSUM",
                given="gpsimd",
                allowed="vector, scalar, unknown",
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_dynamic(self, operand: str, access: Access, target: Target) -> None:
        buffer = access.buffer
        if not buffer.space.on_chip:
            raise wrong_memory(self, operand, access, "sbuf | psum", "; nisa.dma_copy gathers and scatters in hbm")
        assert access.indirect is not None
        if access.indirect.is_vector:
            raise self.error(
                f"{self.name}.scalar",
                f"the dynamic offset of '{operand}' must be a scalar",
                given=f"index {list(access.indirect.index.shape)}",
                allowed="one element, such as offsets[0, i]; a loop over several",
            )
        check_offset(self, operand, access)
        check_tile(self, operand, access)
        check_partitions(self, operand, access, target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        moved = self._moved
        offset = row_indices(memory, moved, at)
        rows = {self.dynamic: offset}
        tile = read(memory.get(self.src.buffer), self.src, at, rows.get("src"))
        value = cast(tile, self.src.dtype, self.dst.dtype).reshape(self.dst.shape)
        mask = None if self.mask is None else self.mask.evaluate(self.dst.shape, at)
        enabled = mask
        if offset is not None:
            valid = rows_in_bounds(moved, offset, at)
            inside = per_element(valid, moved, self.dst.shape)
            enabled = inside if mask is None else mask & inside
            found = Rows(self.name, self.dynamic, moved, offset, valid, self.location, self.unrolled)
            memory = memory.with_fault(memory.fault.or_else(first_fault([found], mask, self.dst.shape, at)))
        new = write(memory.get(self.dst.buffer), self.dst, value, at, rows.get("dst"), enabled)
        return update(memory, self.dst, new, at, rows.get("dst"), enabled)


@dataclass(frozen=True, kw_only=True)
class TensorCopyDynamicSrc(TensorCopyDynamic):
    """A copy whose source moves."""

    name: ClassVar[str] = "tensor_copy_dynamic_src"
    dynamic: ClassVar[str] = "src"


@dataclass(frozen=True, kw_only=True)
class TensorCopyDynamicDst(TensorCopyDynamic):
    """A copy whose destination moves."""

    name: ClassVar[str] = "tensor_copy_dynamic_dst"
    dynamic: ClassVar[str] = "dst"


@takes_target
def tensor_copy_dynamic_src(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    mask: Any = None,
    engine: Engine = Engine.unknown,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a tile copied from a place known at run time: `nki.isa.tensor_copy_dynamic_src` without a kernel.

    Args:
        dst: an SBUF or PSUM reference.
        src: such a reference, with `sbuf("offset")`, one element, beside index tensors, as the index of a free axis; or
            `.ap(..., scalar_offset=sbuf("offset"), indirect_dim=axis)`.
        mask: over `dst`; where false, it stays as it was.
        engine: vector, scalar, gpsimd or unknown.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return _run(TensorCopyDynamicSrc, memory, dst, src, mask, engine, target)


@takes_target
def tensor_copy_dynamic_dst(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    mask: Any = None,
    engine: Engine = Engine.unknown,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a tile copied to a place known at run time: `nki.isa.tensor_copy_dynamic_dst` without a kernel.

    Args:
        dst, src: as for `tensor_copy_dynamic_src`, with the moving index on `dst`.
        mask: over `dst`; where false, it stays as it was.
        engine: vector, scalar, gpsimd or unknown.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    return _run(TensorCopyDynamicDst, memory, dst, src, mask, engine, target)


def _run(
    kind: type[TensorCopyDynamic], memory: DeviceMemory, dst: Ref, src: Ref, mask: Any, engine: Engine, target: Target
) -> DeviceMemory:
    instruction = kind(
        dst=resolve(dst, memory.buffer),
        src=resolve(src, memory.buffer),
        engine=engine,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
