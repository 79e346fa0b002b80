"""`nki.isa.iota`: a tile of affine constants, on the GpSimd Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

from jnki.access.access import Access
from jnki.access.index import Index, IndexValue, scalar
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, int32
from jnki.errors import RuleError
from jnki.isa.gpsimd.affine_pattern import check_offset, expression, matches, values
from jnki.isa.instruction import Instruction
from jnki.isa.operands import store
from jnki.isa.rules import check_mask, check_on_chip, check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Iota(Instruction):
    """`dst[d] = cast(base + sum(steps[k] * d[k]) + offset)`, in wrapping int32 arithmetic.

    Attributes:
        dst: a tile in SBUF.
        expr: the affine expression, with as many partitions as `dst` and equally many values in each.
        offset: one int32 that is known at run time only, or None.
    """

    name: ClassVar[str] = "iota"

    dst: Access
    expr: IndexValue
    offset: Access | None = None

    def check(self, target: Target) -> None:
        check_on_chip(self, "dst", self.dst, psum=False)
        check_partitions(self, "dst", self.dst, target)
        check_offset(self, self.offset)
        if not matches(self.expr, self.dst):
            raise self.error(
                "iota.shape",
                "the expression does not have the shape of dst",
                given=f"expression {list(self.expr.shape)}, dst {list(self.dst.shape)}",
                allowed="the same partitions, and as many values in each",
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value = values(self.expr, self.offset, memory, at).reshape(self.dst.shape)
        return store(memory, self.dst, cast(value, int32, self.dst.dtype), at, self.mask)


def as_expression(expr: Any) -> IndexValue:
    """`expr` as the affine expression of an iota, of rank 2 at least.

    Raises:
        RuleError: `iota.affine_expr`, for anything but an affine expression of indices.
    """
    match expr:
        case Index(ndim=0):
            return expr[None, None].value
        case Index(ndim=1):
            raise RuleError(
                "err_1d_arange_not_supported",
                "iota: a tile has a partition axis and a free axis",
                given=str(expr),
                allowed="an expression of rank 2 or more, such as nl.arange(n)[:, None]",
            )
        case Index():
            return expr.value
        case int():
            return as_expression(scalar(expr))
        case _:
            raise RuleError(
                "iota.affine_expr",
                "iota needs an affine expression of indices",
                given=f"{type(expr).__name__} {expr}"[:120],
                allowed="sums of nl.arange, nl.mgrid and loop indices times integers",
            )


@takes_target
def iota(
    memory: DeviceMemory,
    *,
    dst: Ref,
    expr: Any = None,
    pattern: Any = None,
    offset: Ref | int = 0,
    channel_multiplier: int = 0,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with an affine expression of indices written to an SBUF tile: the functional form of `nki.isa.iota`.

    Args:
        dst: an SBUF reference; its element type is the type of the result.
        expr: an affine expression of `jnki.arange` and `jnki.mgrid`, of the shape of `dst`. Values are computed in
            32-bit integers and cast.
        pattern, offset, channel_multiplier: the expression in the current dialect's form, instead of `expr`: up to four
            `[step, number]` pairs; what is added to each value, an integer or a reference to one int32; and what is
            added per partition.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    to = resolve(dst, memory.buffer)
    if pattern is None:
        affine = as_expression(expr)
        if channel_multiplier or isinstance(offset, Ref) or offset:
            raise RuleError("iota.pattern", "iota: there is no pattern beside which these count", given=f"{offset=}")
    elif expr is not None:
        raise RuleError("iota.pattern", "iota: an expression and a pattern", allowed="one of the two")
    else:
        start = 0 if isinstance(offset, Ref) else offset
        affine = expression("iota", pattern, start, channel_multiplier, to.shape[0])
    instruction = Iota(
        dst=to,
        expr=affine,
        offset=resolve(offset, memory.buffer) if isinstance(offset, Ref) else None,
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
