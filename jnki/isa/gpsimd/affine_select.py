"""`nki.isa.affine_select`: elements of a tile where an affine predicate holds, else a number, on the GpSimd Engine."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.index import Index, IndexValue
from jnki.access.mask import NEVER, Comparison, Mask, Test, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.gpsimd.affine_pattern import check_offset, expression, matches, values
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.operators import operator as as_operator
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import chosen
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

COMPARISONS: MappingProxyType[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "equal": operator.eq,
        "not_equal": operator.ne,
        "greater_equal": operator.ge,
        "greater": operator.gt,
        "less_equal": operator.le,
        "less": operator.lt,
    }
)
_TYPES = frozenset({"int8", "int16", "uint8", "uint16"})


@dataclass(frozen=True, kw_only=True)
class AffineSelect(Instruction):
    """`dst[i] = cast(on_true[i])` where a predicate holds at position `i`, else `dst[i] = cast(on_false)`.

    It is `pred`, or, in the current dialect, `expr + offset <cmp_op> 0`, in wrapping int32 arithmetic. In the
    first form the tiles have one shape, and are of a float type or an 8-bit or 16-bit integer type.

    Attributes:
        dst, on_true: `[P, F...]` in SBUF or PSUM, equally many elements in each partition.
        on_false: a number, taken as float32.
        pred: one affine comparison of the positions of the tile; None where it always holds, or where there is `expr`.
        expr: an affine expression with as many values in each partition.
        cmp_op: name of a comparison.
        offset: one int32 that is known at run time only, or None.
    """

    name: ClassVar[str] = "affine_select"

    dst: Access
    on_true: Access
    on_false: float
    pred: Mask | None = None
    expr: IndexValue | None = None
    cmp_op: str = "equal"
    offset: Access | None = None

    def check(self, target: Target) -> None:
        for operand, access in (("on_true_tile", self.on_true), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        if self.expr is None:
            if self.offset is not None:
                raise self.error("affine_select.offset", "there is no pattern that it is added to", allowed="None")
            self._check_positions()
        else:
            self._check_pattern(self.expr)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_pattern(self, expr: IndexValue) -> None:
        if self.pred is not None:
            raise self.error("affine_select.pattern", "a predicate is given twice", allowed="pred or expr")
        check_same_tile(self, self.dst, self.on_true)
        check_offset(self, self.offset)
        if not matches(expr, self.dst):
            raise self.error(
                "affine_select.shape",
                "the pattern does not have the elements of dst",
                given=f"pattern {list(expr.shape)}, dst {list(self.dst.shape)}",
                allowed="the same partitions, and as many values in each",
            )
        if self.cmp_op not in COMPARISONS:
            raise self.error(
                "affine_select.cmp_op",
                "'cmp_op' is no comparison",
                given=self.cmp_op,
                allowed=", ".join(COMPARISONS),
            )

    def _check_positions(self) -> None:
        for operand, access in (("on_true_tile", self.on_true), ("dst", self.dst)):
            if not access.dtype.is_float and access.dtype.name not in _TYPES:
                raise self.error(
                    "affine_select.dtype",
                    f"'{operand}' has the wrong element type",
                    given=str(access.dtype),
                    allowed="a float type, or an integer type of 8 or 16 bits",
                )
        if self.dst.shape != self.on_true.shape:
            raise self.error(
                "affine_select.shape",
                "dst and on_true_tile have different shapes",
                given=f"dst {list(self.dst.shape)}, on_true_tile {list(self.on_true.shape)}",
                allowed="one shape",
            )
        if self.pred is not None and not self.pred.fits(self.on_true.shape):
            raise self.error(
                "affine_select.shape",
                "the predicate does not have the shape of on_true_tile",
                given=f"pred {list(self.pred.shape)}, on_true_tile {list(self.on_true.shape)}",
                allowed="a shape that broadcasts to that of on_true_tile",
            )

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        tile = cast(load(memory, self.on_true, at), self.on_true.dtype, self.dst.dtype)
        tile = tile.reshape(self.dst.shape)
        if self.expr is not None:
            affine = values(self.expr, self.offset, memory, at).reshape(self.dst.shape)
            condition = COMPARISONS[self.cmp_op](affine, 0)
        elif self.pred is not None:
            condition = self.pred.evaluate(self.on_true.shape, at)
        else:
            return store(memory, self.dst, tile, at, self.mask)
        other = cast(jnp.float32(self.on_false), float32, self.dst.dtype)
        return store(memory, self.dst, chosen(condition, tile, other), at, self.mask)


def as_predicate(pred: Any) -> Mask | None:
    """`pred` as a mask of one comparison, or None where it always holds.

    Args:
        pred: one comparison of affine expressions of indices, or such an expression, which holds where it is positive.

    Raises:
        RuleError: `affine_select.pred`, for several comparisons joined together, or for anything that is known only at
            run time.
    """
    match pred:
        case Index():
            positive = Comparison(pred.base + -1, pred.steps, pred.shape, Test.NOT_NEGATIVE)
            return Mask((positive,)).simplified()
        case Mask(comparisons=(_,)):
            return pred.simplified()
        case Mask():
            raise _not_affine(f"{len(pred.comparisons)} comparisons: {pred}")
        case bool():
            return None if pred else NEVER
        case int():
            return None if pred > 0 else NEVER
        case _:
            raise _not_affine(f"{type(pred).__name__} {pred}")


def _not_affine(given: str) -> RuleError:
    return RuleError(
        "affine_select.pred",
        "affine_select: the predicate is not one affine comparison",
        given=given[:160],
        allowed="one comparison of sums of nl.arange, nl.mgrid and loop indices; nl.where for anything else",
    )


@takes_target
def affine_select(
    memory: DeviceMemory,
    *,
    dst: Ref,
    pred: Any = None,
    on_true_tile: Ref,
    on_false_value: float,
    pattern: Any = None,
    offset: Ref | int = 0,
    channel_multiplier: int = 0,
    cmp_op: Any = "equal",
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a tile where an affine predicate holds, else a number: the form without a kernel.

    Args:
        dst, on_true_tile: SBUF or PSUM references of one shape; types may differ.
        pred: one comparison of affine expressions of `jnki.arange` and `jnki.mgrid`.
        on_false_value: a number, taken as float32.
        pattern, offset, channel_multiplier, cmp_op: the predicate in the current dialect's form, instead of `pred`: an
            affine expression as for `iota`, and what it is to zero.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    if (pattern is None) == (pred is None):
        raise RuleError(
            "affine_select.pattern", "affine_select: a predicate is missing, or given twice", allowed="pred or pattern"
        )
    if pattern is None and (channel_multiplier or isinstance(offset, Ref) or offset or cmp_op != "equal"):
        raise RuleError("affine_select.pattern", "affine_select: there is no pattern beside which these count")
    to = resolve(dst, memory.buffer)
    start = 0 if isinstance(offset, Ref) else offset
    instruction = AffineSelect(
        dst=to,
        on_true=resolve(on_true_tile, memory.buffer),
        on_false=float(as_number("affine_select", on_false_value)),
        pred=None if pred is None else as_predicate(pred),
        expr=None if pattern is None else expression("affine_select", pattern, start, channel_multiplier, to.shape[0]),
        cmp_op=as_operator(cmp_op, "affine_select", "cmp_op", by_name=True).name,
        offset=resolve(offset, memory.buffer) if isinstance(offset, Ref) else None,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
