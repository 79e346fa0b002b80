"""`nki.isa.dma_copy`: moving elements between HBM and SBUF. The heart of jnki.

Clause numbers are those of docs/isa/dma/dma_copy.md, where each one stands in full.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.buffer import Space
from jnki.access.mask import Mask, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.errors import RuleError
from jnki.isa.enums import dge_mode as DgeMode
from jnki.isa.enums import oob_mode as OobMode
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.operands import row_indices
from jnki.isa.rules import check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Fault, Loops
from jnki.memory.fault import NO_SITE, Site, intern
from jnki.memory.gather import read
from jnki.memory.rows import rows_in_bounds
from jnki.memory.scatter import accumulate, write
from jnki.memory.update import update
from jnki.source import user_location
from jnki.target import TRN2, Target


@dataclass(frozen=True, kw_only=True)
class DmaCopy(Instruction):
    """`dst[i] = cast(src[i])` for the elements of both patterns in row-major order.

    Attributes:
        dst, src: in HBM or SBUF, with equally many elements; either may have one indirect index.
        add: whether `src` is added to what `dst` holds (`dst_rmw_op=np.add`).
        oob_mode: whether a row index out of bounds is a fault, or skips its row.
        dge_mode: the requested descriptor generation; it decides what is legal, never a value.
    """

    name: ClassVar[str] = "dma_copy"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    src: Access
    add: bool = False
    oob_mode: OobMode = OobMode.error
    dge_mode: DgeMode = DgeMode.unknown

    @property
    def reads_destination(self) -> bool:
        return self.add

    @property
    def may_fault(self) -> bool:
        return self.is_indirect and self.oob_mode is OobMode.error

    @property
    def is_indirect(self) -> bool:
        return self.src.indirect is not None or self.dst.indirect is not None

    # Rules.

    def check(self, target: Target) -> None:
        self._check_memories(target)
        self._check_element_counts()
        super().check(target)
        self._check_read_modify_write()
        self._check_descriptor_generation(target)

    def _check_memories(self, target: Target) -> None:
        for operand, access in (("dst", self.dst), ("src", self.src)):
            if access.buffer.space is Space.PSUM:  # C1
                raise self.error(
                    "err_unsupported_memory",
                    f"'{operand}' is in the wrong memory (dma_copy.memories)",
                    given=str(access.buffer),
                    allowed="hbm | sbuf",
                )
            if access.indirect is not None and access.buffer.space is not Space.HBM:  # C8
                raise self.error(
                    "err_indirect_indices_are_not_supported_with_nki_api",
                    f"'{operand}' has an indirect index on chip",
                    given=str(access.buffer),
                    allowed="an indirect index on a tensor in hbm",
                )
            for part, tile in zip((operand, f"{operand}'s index"), access.accesses()):
                if tile.buffer.space is Space.SBUF:
                    check_partitions(self, part, tile, target)  # C3

    def _check_element_counts(self) -> None:
        if self.src.size != self.dst.size:  # C2
            raise self.error(
                "dma_copy.element_count",
                "dst and src must have the same number of elements; nothing is broadcast",
                given=f"dst {list(self.dst.shape)} ({self.dst.size}), src {list(self.src.shape)} ({self.src.size})",
                allowed="equal element counts",
            )
        if self.mask is not None and self._masked_shape() is None:  # C13
            raise self.error(
                "dma_copy.mask",
                "the mask does not fit the shape of the copy",
                given=f"mask {list(self.mask.shape)}, dst {list(self.dst.shape)}, src {list(self.src.shape)}",
                allowed="a shape that broadcasts to that of dst or src",
            )

    def _check_read_modify_write(self) -> None:
        if self.add and self.oob_mode is OobMode.skip:  # C15
            raise self.error(
                "dma_copy.rmw_oob",
                "a read-modify-write cannot skip",
                given="dst_rmw_op with oob_mode.skip",
                allowed="oob_mode.error",
            )

    def _check_descriptor_generation(self, target: Target) -> None:
        match self.dge_mode:
            case DgeMode.hwdge:  # C21
                if target.neuron_core_version < 3:
                    raise self.error(
                        "dma_copy.hwdge_target_legacy",
                        "hwdge is not available on this target",
                        given=f"{target.name} (NeuronCore-v{target.neuron_core_version})",
                        allowed="NeuronCore-v3 or newer",
                    )
                if self.is_indirect:
                    raise self.error(
                        "dma_copy.hwdge_no_indirect",
                        "hwdge cannot gather or scatter",
                        given="an indirect index",
                        allowed="dge_mode.swdge or dge_mode.unknown",
                    )
                if self.src.dtype != self.dst.dtype:
                    raise self.error(
                        "dma_copy.hwdge_dtype",
                        "hwdge does not cast",
                        given=f"src {self.src.dtype}, dst {self.dst.dtype}",
                        allowed="equal element types",
                    )
            case DgeMode.none if self.is_indirect:  # C22
                raise self.error(
                    "dma_copy.dge_none_static",
                    "without descriptor generation, addresses must be known before execution",
                    given="dge_mode.none with an indirect index",
                    allowed="dge_mode.swdge or dge_mode.unknown",
                )
            case _:  # C23: swdge serves everything.
                pass

    def chosen_dge(self, target: Target) -> tuple[DgeMode, str]:
        """The descriptor generation that this copy gets on `target`, and why (C24)."""
        if self.dge_mode is not DgeMode.unknown:
            return self.dge_mode, "as requested"
        if self.is_indirect:
            return DgeMode.swdge, "indirect"
        if target.neuron_core_version >= 3 and self.src.dtype == self.dst.dtype:
            return DgeMode.hwdge, f"direct, equal types, NeuronCore-v{target.neuron_core_version}"
        if target.neuron_core_version < 3:
            return DgeMode.none, f"direct, NeuronCore-v{target.neuron_core_version} has no hwdge"
        return DgeMode.none, "direct, with a cast"

    def remarks(self, target: Target) -> tuple[str, ...]:
        return (f"dge={self.chosen_dge(target)[0].name}",)

    # Meaning.

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        """All reads come before all writes (C19); a row that is out of bounds moves nothing (C10, C12)."""
        mask = self._enabled(at)
        src_rows, dst_rows = row_indices(memory, self.src, at), row_indices(memory, self.dst, at)
        src_valid, dst_valid = _valid(self.src, src_rows, at), _valid(self.dst, dst_rows, at)
        tile = read(memory.get(self.src.buffer), self.src, at, src_rows)
        old = memory.get(self.dst.buffer)
        enabled = self._moving(mask, src_valid, dst_valid)
        if self.add:
            value = cast(tile, self.src.dtype, float32).reshape(self.dst.shape)
            new = accumulate(
                old,
                self.dst,
                value,
                at,
                finish=lambda total: cast(total, float32, self.dst.dtype),
                widen=lambda stored: cast(stored, self.dst.dtype, float32),
                rows=dst_rows,
                enabled=enabled,
            )
        else:
            value = cast(tile, self.src.dtype, self.dst.dtype).reshape(self.dst.shape)  # C5, C6
            new = write(old, self.dst, value, at, dst_rows, enabled)
        if self.oob_mode is OobMode.error:
            faults = [
                self._fault(operand, rows, valid, mask, at)
                for operand, rows, valid in (("src", src_rows, src_valid), ("dst", dst_rows, dst_valid))
                if rows is not None and valid is not None
            ]
            if faults:
                memory = memory.with_fault(memory.fault.or_else(self._first(faults)))
        return update(memory, self.dst, new, at, dst_rows, enabled)

    def _enabled(self, at: Loops) -> jax.Array | None:
        """The mask over the elements, broadcastable to the shape of dst: of size 1 along dims that it does not read."""
        if self.mask is None:
            return None
        shape = self.dst.shape if self.mask.fits(self.dst.shape) else self.src.shape
        read = {len(shape) - len(c.steps) + d for c in self.mask.comparisons for d, step in enumerate(c.steps) if step}
        mask = self.mask.evaluate(tuple(n if d in read else 1 for d, n in enumerate(shape)), at)
        return mask if shape == self.dst.shape else jnp.broadcast_to(mask, shape).reshape(self.dst.shape)

    def _moving(
        self, mask: jax.Array | None, src_valid: jax.Array | None, dst_valid: jax.Array | None
    ) -> jax.Array | None:
        """Which elements move, broadcastable to the shape of dst: the mask holds and both rows are valid."""
        enabled = mask
        for access, valid in ((self.src, src_valid), (self.dst, dst_valid)):
            if valid is None:
                continue
            by_row = valid.reshape((-1,) + (1,) * (len(access.shape) - 1))
            if access.shape[:1] == self.dst.shape[:1]:
                by_row = valid.reshape((-1,) + (1,) * (len(self.dst.shape) - 1))
            else:
                by_row = jnp.broadcast_to(by_row, access.shape).reshape(self.dst.shape)
            enabled = by_row if enabled is None else enabled & by_row
        return enabled

    def _fault(self, operand: str, rows: jax.Array, valid: jax.Array, mask: jax.Array | None, at: Loops) -> Fault:
        """The first row in row-major order that is out of bounds and not masked off entirely (C11, C13)."""
        access: Access = getattr(self, operand)
        bad = ~valid
        by_row = mask is not None and self.dst.size > 0 and all(n == 1 for n in mask.shape[1:])
        if mask is not None and by_row and access.shape[:1] == self.dst.shape[:1]:
            bad &= mask.reshape(-1)
        elif mask is not None:
            elements = jnp.broadcast_to(mask, self.dst.shape).reshape(access.shape)
            bad &= jnp.any(elements.reshape(bad.shape[0], -1), axis=1)
        count = bad.shape[0]
        position = jnp.min(jnp.where(bad, jnp.arange(count, dtype=jnp.int32), count))
        occurred = position < count
        row = jnp.minimum(position, count - 1)
        index = jnp.take(rows, row, mode="clip") if rows.shape[0] > 1 else rows[0]
        zero = jnp.int32(0)
        return Fault(
            site=jnp.where(occurred, jnp.int32(intern(self._site(operand, access, at))), jnp.int32(NO_SITE)),
            row=jnp.where(occurred, row, zero),
            index=jnp.where(occurred, index, zero),
            iteration=jnp.where(occurred, at.iteration(), zero),
        )

    def _first(self, faults: list[Fault]) -> Fault:
        """Of the faults of src and dst, the one whose row comes first; of the same row, that of src (C11)."""
        if len(faults) == 1:
            return faults[0]
        src, dst = faults
        src_start, dst_start = src.row * _row_size(self.src), dst.row * _row_size(self.dst)
        dst_is_first = dst.occurred & (~src.occurred | (dst_start < src_start))
        return jax.tree.map(lambda a, b: jnp.where(dst_is_first, b, a), src, dst)

    def _site(self, operand: str, access: Access, at: Loops) -> Site:
        assert access.indirect is not None
        return Site(
            instruction=self.name,
            operand=operand,
            tensor=access.buffer.name,
            axis=access.indirect.axis,
            axis_size=access.indirect.size,
            size=access.buffer.size,
            offset=access.offset,
            index_step=access.indirect.step,
            row_step=access.dims[0].step if access.dims else 0,
            signed=access.indirect.index.dtype.name == "int32",
            loops=tuple(symbol for symbol, _ in at.values),
            location=self.location,
        )


def _valid(access: Access, rows: jax.Array | None, at: Loops) -> jax.Array | None:
    return None if rows is None else rows_in_bounds(access, rows, at)


def _row_size(access: Access) -> int:
    return math.prod(access.shape[1:])


def is_add(op: Any) -> bool:
    """Whether `dst_rmw_op` means addition: `np.add`, `jnp.add`, or `nl.add` of a dialect (C14)."""
    return op is np.add or op is jnp.add or getattr(op, "nki_op", None) == "add"


def make(
    dst: Access,
    src: Access,
    mask: Mask | None,
    dst_rmw_op: Any,
    oob: Any,
    dge: Any,
    target: Target,
) -> DmaCopy:
    """A checked `DmaCopy` from the arguments that a user passes.

    Raises:
        RuleError: an argument or the copy as a whole breaks a rule.
    """
    at = user_location()
    for argument, value, kind in (("oob_mode", oob, OobMode), ("dge_mode", dge, DgeMode)):
        if not isinstance(value, kind):
            raise _wrong_enum(argument, value, kind)
    copy = DmaCopy(dst=dst, src=src, mask=mask, add=dst_rmw_op is not None, oob_mode=oob, dge_mode=dge, location=at)
    if dst_rmw_op is not None and not is_add(dst_rmw_op):
        raise copy.error(
            "dma_copy.dst_rmw_op",
            "only addition can be a read-modify-write",
            given=getattr(dst_rmw_op, "__name__", repr(dst_rmw_op)),
            allowed="None, np.add or nl.add",
        )
    copy.check(target)
    return copy


def _wrong_enum(argument: str, value: Any, kind: Any) -> RuleError:
    members = ", ".join(f"{kind.__name__}.{m.name}" for m in kind)
    return RuleError(
        "dma_copy.enum_only",
        f"dma_copy: '{argument}' must be a member of {kind.__name__}",
        given=repr(value),
        allowed=members,
    )


def dma_copy(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    mask: Mask | None = None,
    dst_rmw_op: Any = None,
    oob_mode: OobMode = OobMode.error,
    dge_mode: DgeMode = DgeMode.unknown,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory after a DMA from `src` to `dst`: the functional form of `nki.isa.dma_copy`.

    Args:
        memory: the arrays, and the fault record of what came before.
        dst, src: references such as `hbm("table")[sbuf("idx"), :]`, in HBM or SBUF, with equally many elements.
        mask: comparisons of `jnki.arange` and `jnki.mgrid`; where false nothing is read, checked or written.
        dst_rmw_op: None to overwrite, `np.add` to add in float32.
        oob_mode: `error` records a fault for the first row index out of bounds, `skip` moves nothing for such rows.
        dge_mode, target: static; they decide what is legal, never what a legal copy moves.

    Returns:
        A new `DeviceMemory`; a fault is recorded in its `fault`, never raised.

    Raises:
        RuleError: the copy breaks a rule of docs/isa/dma/dma_copy.md.
    """
    to, frm = resolve(dst, memory.buffer), resolve(src, memory.buffer)
    return make(to, frm, as_mask(mask), dst_rmw_op, oob_mode, dge_mode, target).execute(memory)
