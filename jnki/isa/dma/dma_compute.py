"""`nki.isa.dma_compute`: the sum of tensors in HBM and SBUF, made by the DMA engines on the way.

Clause numbers are those of docs/isa/dma/dma_copy.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.isa.dma.compute_forms import MOST_SOURCES, check_arguments, check_compute, target_of_sum
from jnki.isa.dma.indexed import added, indexed, moving, with_fault
from jnki.isa.enums import oob_mode as OobMode
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.gather import read
from jnki.memory.update import update
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class DmaCompute(Instruction):
    """`dst[i] = cast(float32(src0[i]) + float32(src1[i]) + ...)`, elements in row-major order of each pattern.

    The sum runs from left to right. All reads come before all writes (C19).

    Attributes:
        dst: in HBM or SBUF.
        src0 to src15: the sources, in HBM or SBUF, each with as many elements as `dst`. Each is a field, because
            lowering rewrites operands.
        adds: whether `src0`, then the only source, is added to what `dst` holds: one of the two then has an index for
            each row. Repeated rows all contribute (C17).
        oob_mode: whether a row index out of bounds is a fault, or skips its row.
    """

    name: ClassVar[str] = "dma_compute"
    is_addressing: ClassVar[bool] = True

    dst: Access
    src0: Access
    src1: Access | None = None
    src2: Access | None = None
    src3: Access | None = None
    src4: Access | None = None
    src5: Access | None = None
    src6: Access | None = None
    src7: Access | None = None
    src8: Access | None = None
    src9: Access | None = None
    src10: Access | None = None
    src11: Access | None = None
    src12: Access | None = None
    src13: Access | None = None
    src14: Access | None = None
    src15: Access | None = None
    adds: bool = False
    oob_mode: OobMode = OobMode.error

    @property
    def sources(self) -> tuple[Access, ...]:
        found = (getattr(self, f"src{k}") for k in range(MOST_SOURCES))
        return tuple(access for access in found if access is not None)

    @property
    def reads_destination(self) -> bool:
        return self.adds

    @property
    def may_fault(self) -> bool:
        return self.adds and self.oob_mode is OobMode.error

    def check(self, target: Target) -> None:
        check_compute(self, self.dst, self.sources, self.adds, self.oob_mode, target)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        if self.adds:
            return self._add(memory, at)
        total = None
        for source in self.sources:
            value = cast(load(memory, source, at), source.dtype, float32).reshape(self.dst.shape)
            total = value if total is None else total + value
        assert total is not None
        return store(memory, self.dst, cast(total, float32, self.dst.dtype), at)

    def _add(self, memory: DeviceMemory, at: Loops) -> DeviceMemory:
        source, dst = indexed(memory, "src0", self.src0, at), indexed(memory, "dst", self.dst, at)
        tile = read(memory.get(self.src0.buffer), self.src0, at, source.rows)
        value = cast(tile, self.src0.dtype, float32).reshape(self.dst.shape)
        on = moving((source, dst), self.dst.shape)
        new = added(memory.get(self.dst.buffer), dst, value, at, on)
        if self.oob_mode is OobMode.error:
            memory = with_fault(memory, self, (source, dst), None, self.dst.shape, at)
        return update(memory, self.dst, new, at, dst.rows, on)


def make(
    dst: Access,
    srcs: Sequence[Access],
    reduce_op: Any,
    scales: Sequence[Any] | None,
    unique_indices: Any,
    oob: Any,
    target: Target,
) -> DmaCompute:
    """A checked `DmaCompute` from the arguments that a user passes.

    Raises:
        RuleError: an argument or the instruction as a whole breaks a rule of docs/isa/dma/dma_compute.md.
    """
    check_arguments(dst, srcs, reduce_op, scales, unique_indices, oob)
    added_to = target_of_sum(dst, srcs)
    sources = [srcs[1 - added_to]] if added_to is not None else list(srcs)
    fields: dict[str, Any] = {f"src{k}": access for k, access in enumerate(sources)}
    compute = DmaCompute(dst=dst, **fields, adds=added_to is not None, oob_mode=oob, location=user_location())
    compute.check(target)
    return compute


@takes_target
def dma_compute(
    memory: DeviceMemory,
    *,
    dst: Ref,
    srcs: Sequence[Ref],
    reduce_op: Any,
    scales: Sequence[float] | None = None,
    unique_indices: bool = True,
    oob_mode: OobMode = OobMode.error,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with the sum of tensors in `dst`: the functional form of `nki.isa.dma_compute`.

    Args:
        dst: a reference in HBM or SBUF.
        srcs: 1 to 16 references in HBM or SBUF with as many elements. Where one of them has a `vector_offset`, they are
            two: `dst` itself, and what is added to it.
        reduce_op: `np.add`.
        scales: None, or 1.0 for each source.
        unique_indices: the promise that no row is named twice; without row indices it says nothing.
        oob_mode: `error` records a fault for the first row index out of bounds, `skip` adds nothing for such rows.

    Raises:
        RuleError: the instruction breaks a rule of docs/isa/dma/dma_compute.md.
    """
    to, found = resolve(dst, memory.buffer), [resolve(ref, memory.buffer) for ref in srcs]
    return make(to, found, reduce_op, scales, unique_indices, oob_mode, target).execute(memory)
