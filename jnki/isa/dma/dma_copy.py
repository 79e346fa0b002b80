"""`nki.isa.dma_copy`: moving elements between HBM and SBUF. The heart of jnki.

Clause numbers are those of docs/isa/dma/dma_copy.md, where each one stands in full.
"""

from dataclasses import dataclass, field
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
from jnki.isa.dma import current_rules, legacy_rules
from jnki.isa.dma.descriptor_generation import choose_descriptor_generation
from jnki.isa.dma.indexed import added, indexed, moving, with_fault
from jnki.isa.enums import dge_mode as DgeMode
from jnki.isa.enums import engine as Engine
from jnki.isa.enums import oob_mode as OobMode
from jnki.isa.instruction import Instruction, SharedDims
from jnki.isa.rule_set import RuleSet
from jnki.isa.rules import check_keeps_opaque, check_offset, check_partitions, no_numbers
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.gather import read
from jnki.memory.scatter import write
from jnki.memory.update import update
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class DmaCopy(Instruction):
    """`dst[i] = cast(src[i])` for the elements of both patterns in row-major order.

    Attributes:
        dst, src: in HBM or SBUF, with equally many elements; either may have one indirect index.
        add: whether `src` is added to what `dst` holds (`dst_rmw_op=np.add`).
        oob_mode: whether a row index out of bounds is a fault, or skips its row.
        dge_mode, engine, priority: the requested descriptor generation, who triggers it, and how urgently; they decide
            what is legal, never a value.
        rules: the dialect whose rules hold.
    """

    name: ClassVar[str] = "dma_copy"
    is_addressing: ClassVar[bool] = True
    shared_dims: ClassVar[SharedDims] = "all"
    takes_opaque: ClassVar[bool] = True

    dst: Access
    src: Access
    add: bool = False
    oob_mode: OobMode = OobMode.error
    dge_mode: DgeMode = DgeMode.unknown
    engine: Engine = Engine.unknown
    priority: int | None = None
    rules: RuleSet = field(default=RuleSet.legacy, repr=False)

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
        check_keeps_opaque(self, self.dst, self.src)
        super().check(target)
        if self._is_current:
            current_rules.check_plain(self, self.add)
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
                if not access.indirect.is_vector:
                    check_offset(self, operand, access)
                elif not self._is_current:
                    raise legacy_rules.index_on_chip(self, operand, access)
            if self._is_current:  # C8
                current_rules.check_indices(self, operand, access, self.src if operand == "dst" else self.dst)
            else:
                legacy_rules.check_indices(self, operand, access)
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
        if self.mask is not None and self.masked_shape() is None:  # C13
            raise self.error(
                "dma_copy.mask",
                "the mask does not fit the shape of the copy",
                given=f"mask {list(self.mask.shape)}, dst {list(self.dst.shape)}, src {list(self.src.shape)}",
                allowed="a shape that broadcasts to that of dst or src",
            )

    def _check_read_modify_write(self) -> None:
        if self.add and self.dst.dtype.is_opaque:
            raise no_numbers(self, "dst", self.dst)
        if self.add and self.oob_mode is OobMode.skip:  # C15
            raise self.error(
                "dma_copy.rmw_oob",
                "a read-modify-write cannot skip",
                given="dst_rmw_op with oob_mode.skip",
                allowed="oob_mode.error",
            )

    def _check_descriptor_generation(self, target: Target) -> None:
        if self._is_current:
            current_rules.check_generation(self, self.dge_mode, self.dst, self.src, target)
            current_rules.check_queue(self, self.engine, self.priority, self.dge_mode, target)
        else:
            legacy_rules.check_generation(self, self.dge_mode, self.dst, self.src, target)
            legacy_rules.check_queue(self, self.engine, self.priority)

    @property
    def _is_current(self) -> bool:
        return self.rules is RuleSet.current

    def chosen_dge(self, target: Target) -> tuple[DgeMode, str]:
        """The descriptor generation that this copy gets on `target`, and why (C24)."""
        if self._is_current and (chosen := current_rules.choose_generation(self.dge_mode, self.dst, self.src, target)):
            return chosen
        casts = self.src.dtype != self.dst.dtype
        return choose_descriptor_generation(self.dge_mode, indirect=self.is_indirect, casts=casts, target=target)

    def remarks(self, target: Target) -> tuple[str, ...]:
        return (f"dge={self.chosen_dge(target)[0].name}",)

    # Meaning.

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        """All reads come before all writes (C19); a row that is out of bounds moves nothing (C10, C12).

        A copy of no elements reads no row index: it changes nothing and cannot fault.
        """
        if self.dst.size == 0:
            return memory
        mask = self._enabled(at)
        src, dst = indexed(memory, "src", self.src, at), indexed(memory, "dst", self.dst, at)
        tile = read(memory.get(self.src.buffer), self.src, at, src.rows)
        old = memory.get(self.dst.buffer)
        enabled = moving((src, dst), self.dst.shape, mask)
        if self.add:
            new = added(old, dst, cast(tile, self.src.dtype, float32).reshape(self.dst.shape), at, enabled)
        else:
            value = cast(tile, self.src.dtype, self.dst.dtype).reshape(self.dst.shape)  # C5, C6
            new = write(old, self.dst, value, at, dst.rows, enabled)
        if self.oob_mode is OobMode.error:
            memory = with_fault(memory, self, (src, dst), mask, self.dst.shape, at)
        return update(memory, self.dst, new, at, dst.rows, enabled)

    def _enabled(self, at: Loops) -> jax.Array | None:
        """The mask over the elements, broadcastable to the shape of dst: of size 1 along dims that it does not read."""
        if self.mask is None:
            return None
        shape = self.dst.shape if self.mask.fits(self.dst.shape) else self.src.shape
        read = {len(shape) - len(c.steps) + d for c in self.mask.comparisons for d, step in enumerate(c.steps) if step}
        mask = self.mask.evaluate(tuple(n if d in read else 1 for d, n in enumerate(shape)), at)
        return mask if shape == self.dst.shape else jnp.broadcast_to(mask, shape).reshape(self.dst.shape)


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
    *,
    engine: Engine = Engine.unknown,
    priority: Any = None,
    rules: RuleSet = RuleSet.legacy,
) -> DmaCopy:
    """A checked `DmaCopy` from the arguments that a user passes. Only the current rules know engines and priorities.

    Raises:
        RuleError: an argument or the copy as a whole breaks a rule.
    """
    at = user_location()
    for argument, value, kind in (("oob_mode", oob, OobMode), ("dge_mode", dge, DgeMode)):
        if not isinstance(value, kind):
            raise RuleError(
                "dma_copy.enum_only",
                f"dma_copy: '{argument}' must be a member of {kind.__name__}",
                given=repr(value),
                allowed=", ".join(f"{kind.__name__}.{m.name}" for m in kind),
            )
    copy = DmaCopy(
        dst=dst,
        src=src,
        mask=mask,
        add=dst_rmw_op is not None,
        oob_mode=oob,
        dge_mode=dge,
        engine=engine,
        priority=priority,
        rules=rules,
        location=at,
    )
    if dst_rmw_op is not None and not is_add(dst_rmw_op):
        raise copy.error(
            "dma_copy.dst_rmw_op",
            "only addition can be a read-modify-write",
            given=getattr(dst_rmw_op, "__name__", repr(dst_rmw_op)),
            allowed="None, np.add or nl.add",
        )
    copy.check(target)
    return copy


@takes_target
def dma_copy(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    mask: Mask | None = None,
    dst_rmw_op: Any = None,
    oob_mode: OobMode = OobMode.error,
    dge_mode: DgeMode = DgeMode.unknown,
    engine: Engine = Engine.unknown,
    priority: int | None = None,
    rules: RuleSet = RuleSet.legacy,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory after a DMA from `src` to `dst`: the functional form of `nki.isa.dma_copy`.

    Args:
        memory: the arrays, and the fault record of what came before.
        dst, src: references such as `hbm("table")[sbuf("idx"), :]`, in HBM or SBUF, with equally many elements.
        mask: comparisons of `jnki.arange` and `jnki.mgrid`; where false nothing is read, checked or written.
        dst_rmw_op: None to overwrite, `np.add` to add in float32.
        oob_mode: `error` records a fault for the first row index out of bounds, `skip` moves nothing for such rows.
        dge_mode, engine, priority, target: static; they decide what is legal, never what a legal copy moves.
        rules: the dialect whose rules hold.

    Returns:
        A new `DeviceMemory`; a fault is recorded in its `fault`, never raised.

    Raises:
        RuleError: the copy breaks a rule of docs/isa/dma/dma_copy.md.
    """
    to, frm = resolve(dst, memory.buffer), resolve(src, memory.buffer)
    queue: Any = {"engine": engine, "priority": priority, "rules": rules}
    return make(to, frm, as_mask(mask), dst_rmw_op, oob_mode, dge_mode, target, **queue).execute(memory)
