"""`nki.isa.affine_select`: elements of a tile where an affine predicate holds, else a number, on the GpSimd Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.index import Index
from jnki.access.mask import NEVER, Comparison, Mask, Test, as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, float32
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.instruction import Instruction
from jnki.isa.operands import load, store
from jnki.isa.rules import check_compute_tile, check_mask
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_TYPES = frozenset({"int8", "int16", "uint8", "uint16"})


@dataclass(frozen=True, kw_only=True)
class AffineSelect(Instruction):
    """`dst[i] = cast(on_true[i])` where `pred` holds at position `i`, else `dst[i] = cast(on_false)`.

    Attributes:
        dst, on_true: `[P, F...]` of one shape in SBUF or PSUM, of a float type or an 8-bit or 16-bit integer type.
        on_false: a number, taken as float32.
        pred: one affine comparison of the positions of the tile; None where it always holds.
    """

    name: ClassVar[str] = "affine_select"

    dst: Access
    on_true: Access
    on_false: float
    pred: Mask | None

    def check(self, target: Target) -> None:
        for operand, access in (("on_true_tile", self.on_true), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
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
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        tile = cast(load(memory, self.on_true, at), self.on_true.dtype, self.dst.dtype)
        if self.pred is not None:
            other = cast(jnp.float32(self.on_false), float32, self.dst.dtype)
            tile = jnp.where(self.pred.evaluate(self.on_true.shape, at), tile, other)
        return store(memory, self.dst, tile, at, self.mask)


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
    pred: Any,
    on_true_tile: Ref,
    on_false_value: float,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with a tile where an affine predicate holds, else a number: the form without a kernel.

    Args:
        dst, on_true_tile: SBUF or PSUM references of one shape; types may differ.
        pred: one comparison of affine expressions of `jnki.arange` and `jnki.mgrid`.
        on_false_value: a number, taken as float32.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = AffineSelect(
        dst=resolve(dst, memory.buffer),
        on_true=resolve(on_true_tile, memory.buffer),
        on_false=float(as_number("affine_select", on_false_value)),
        pred=as_predicate(pred),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
