"""`nki.isa.dma_transpose`: the axes of a tile permuted by a DMA, on its way from HBM or SBUF to SBUF."""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.bounds import check_bounds
from jnki.access.buffer import Space
from jnki.access.mask import Comparison, Mask, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast
from jnki.errors import RuleError
from jnki.isa.dma.current_rules import check_queue
from jnki.isa.dma.current_transpose_rules import check_transpose
from jnki.isa.dma.descriptor_generation import check_descriptor_generation
from jnki.isa.dma.indexed import indexed, with_fault
from jnki.isa.enums import dge_mode as DgeMode
from jnki.isa.enums import engine as Engine
from jnki.isa.enums import oob_mode as OobMode
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store, store_where
from jnki.isa.rule_set import RuleSet
from jnki.isa.rules import check_keeps_opaque, check_partitions, check_tile, wrong_memory
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import as_bits
from jnki.memory.gather import read
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

# By the rank of the source. Each one undoes itself.
PERMUTATIONS = {2: (1, 0), 3: (2, 1, 0), 4: (3, 1, 2, 0)}


@dataclass(frozen=True, kw_only=True)
class DmaTranspose(Instruction):
    """`dst = cast(transpose(src))` by the one permutation that there is for the rank of `src`.

    Attributes:
        dst: in SBUF, of the permuted shape.
        src: in HBM or SBUF, of rank 2, 3 or 4. By the current rules it may have an index of run time.
        oob_mode: whether an index out of bounds is a fault, or leaves what it would have written.
        dge_mode, priority: the requested descriptor generation, and how urgent it is; they decide what is legal, never
            a value.
        rules: the dialect whose rules hold.

    `mask` is over `dst.shape`.
    """

    name: ClassVar[str] = "dma_transpose"
    is_addressing: ClassVar[bool] = True
    takes_opaque: ClassVar[bool] = True

    dst: Access
    src: Access
    oob_mode: OobMode = OobMode.error
    dge_mode: DgeMode = DgeMode.unknown
    priority: int | None = None
    rules: RuleSet = field(default=RuleSet.legacy, repr=False)

    @property
    def may_fault(self) -> bool:
        return self.src.indirect is not None and self.oob_mode is OobMode.error

    def check(self, target: Target) -> None:
        if self.rules is RuleSet.current:
            if self.mask is not None:
                raise self.error("dma_transpose.mask", "there is no mask by the current rules", given=str(self.mask))
            permuted = tuple(self.src.shape[axis] for axis in permutation_of(self.src.shape))
            check_transpose(self, self.dst, self.src, self.dge_mode, self.oob_mode, permuted, target)
            check_queue(self, Engine.unknown, self.priority, self.dge_mode, target)
            super().check(target)
        else:
            self._check_legacy(target)

    def _check_legacy(self, target: Target) -> None:
        permutation = permutation_of(self.src.shape)
        for operand, access, spaces in (
            ("src", self.src, (Space.HBM, Space.SBUF)),
            ("dst", self.dst, (Space.SBUF,)),
        ):
            if access.buffer.space not in spaces:
                raise wrong_memory(self, operand, access, " | ".join(map(str, spaces)))
            if access.indirect is not None:
                raise self.error(
                    "err_indirect_indices_are_not_supported_with_nki_api",
                    f"'{operand}' has an indirect index",
                    given=str(access),
                    allowed="static indices; nisa.dma_copy gathers and scatters",
                )
            if access.buffer.space.on_chip:
                check_tile(self, operand, access)
                check_partitions(self, operand, access, target)
        if self.oob_mode is not OobMode.error or self.priority is not None:
            raise self.error(
                "dma_transpose.legacy",
                "a transpose by the legacy rules skips nothing and has no priority",
                given=f"oob_mode.{self.oob_mode.name}, priority {self.priority}",
                allowed="rules=RuleSet.current",
            )
        permuted = tuple(self.src.shape[axis] for axis in permutation)
        if self.dst.shape != permuted:
            raise self.error(
                "dma_transpose.shape",
                "dst does not have the transposed shape",
                given=f"src {list(self.src.shape)}, dst {list(self.dst.shape)}",
                allowed=f"dst {list(permuted)}",
            )
        check_keeps_opaque(self, self.dst, self.src)
        check_descriptor_generation(
            self.dge_mode, indirect=False, src=self.src.dtype, dst=self.dst.dtype, target=target, error=self.error
        )
        check_bounds(self.src, _permuted(self.mask, permuted), "dma_transpose's src")
        check_bounds(self.dst, self.mask, "dma_transpose's dst")

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        permutation = permutation_of(self.src.shape)
        if self.src.indirect is not None:
            return self._gather(memory, at, permutation) if self.dst.size else memory
        box = None if self.mask is None else self.mask.box(self.dst.shape)
        if box is not None:
            of_src = tuple(box[axis] for axis in permutation)
            return replace(self, dst=self.dst.restricted(box), src=self.src.restricted(of_src), mask=None).execute(
                memory, at
            )
        moved = _transposed(load(memory, self.src, at), permutation)
        return store(memory, self.dst, cast(moved, self.src.dtype, self.dst.dtype), at, self.mask)

    def _gather(self, memory: DeviceMemory, at: Loops, permutation: tuple[int, ...]) -> DeviceMemory:
        """Rows that are out of bounds move nothing. They are the last axis of `dst`, whichever the permutation is."""
        src = indexed(memory, "src", self.src, at)
        moved = _transposed(read(memory.get(self.src.buffer), self.src, at, src.rows), permutation)
        if self.oob_mode is OobMode.error:
            memory = with_fault(memory, self, (src,), None, self.src.shape, at)
        return store_where(memory, self.dst, moved, at, src.valid)


def _transposed(tile: jax.Array, permutation: tuple[int, ...]) -> jax.Array:
    return as_bits(lambda x: jnp.transpose(x, permutation), tile)


def permutation_of(shape: tuple[int, ...], axes: Any = None) -> tuple[int, ...]:
    """The permutation for a source of this shape, which is the one that `axes` asks for, if it does.

    Raises:
        RuleError: `dma_transpose.axes`, where there is none, or another one is asked for.
    """
    known = PERMUTATIONS.get(len(shape))
    asked = known if axes is None else tuple(axes)
    if known is None or asked != known:
        raise RuleError(
            "dma_transpose.axes",
            "dma_transpose: DMA does not permute the axes in this way",
            given=f"src {list(shape)}" + ("" if axes is None else f", axes {tuple(axes)}"),
            allowed=str(known) if known else "rank 2 by (1, 0), rank 3 by (2, 1, 0), rank 4 by (3, 1, 2, 0)",
            at=user_location(),
        )
    return known


def make(
    dst: Access,
    src: Access,
    mask: Mask | None,
    dge: Any,
    target: Target,
    *,
    oob: Any = OobMode.error,
    priority: Any = None,
    rules: RuleSet = RuleSet.legacy,
) -> DmaTranspose:
    """A checked `DmaTranspose`; `mask` is over the shape of `src`. Only the current rules know the last three."""
    if mask is not None and not mask.fits(src.shape):
        raise RuleError(
            "dma_transpose.mask",
            "dma_transpose: the mask does not fit 'src'",
            given=f"mask {list(mask.shape)}, src {list(src.shape)}",
            allowed="a shape that broadcasts to that of src",
            at=user_location(),
        )
    for argument, value, kind in (("dge_mode", dge, DgeMode), ("oob_mode", oob, OobMode)):
        if not isinstance(value, kind):
            raise RuleError(
                "dma_transpose.enum_only",
                f"dma_transpose: '{argument}' must be a member of {argument}",
                given=repr(value),
                allowed=", ".join(f"{argument}.{m.name}" for m in kind),
                at=user_location(),
            )
    instruction = DmaTranspose(
        dst=dst,
        src=src,
        mask=_permuted(mask, src.shape),
        oob_mode=oob,
        dge_mode=dge,
        priority=priority,
        rules=rules,
        location=user_location(),
    )
    instruction.check(target)
    return instruction


def _permuted(mask: Mask | None, shape: tuple[int, ...]) -> Mask | None:
    """A mask over a tile of `shape` as one over the transposed tile."""
    if mask is None:
        return None
    permutation, found = permutation_of(shape), []
    for c in mask.comparisons:
        pad = len(shape) - len(c.steps)
        steps, sizes = (0,) * pad + c.steps, (1,) * pad + c.shape
        moved = tuple(steps[axis] for axis in permutation), tuple(sizes[axis] for axis in permutation)
        found.append(Comparison(c.base, *moved, c.test))
    return Mask(tuple(found))


@takes_target
def dma_transpose(
    memory: DeviceMemory,
    *,
    dst: Ref,
    src: Ref,
    mask: Any = None,
    oob_mode: OobMode = OobMode.error,
    dge_mode: DgeMode = DgeMode.unknown,
    priority: int | None = None,
    rules: RuleSet = RuleSet.legacy,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a tile, its axes permuted, in SBUF: the functional form of `nki.isa.dma_transpose`.

    Args:
        dst: an SBUF reference of the permuted shape.
        src: an HBM or SBUF reference of rank 2, 3 or 4.
        mask: over the axes of `src`; where false, `dst` stays as it was.
        oob_mode: `error` records a fault for the first index out of bounds, `skip` leaves what it would have written.
        dge_mode, priority, target: static; they decide what is legal.
        rules: the dialect whose rules hold.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to, source = resolve(dst, memory.buffer), resolve(src, memory.buffer)
    options: Any = {"oob": oob_mode, "priority": priority, "rules": rules}
    return make(to, source, as_mask(mask), dge_mode, target, **options).execute(memory)
