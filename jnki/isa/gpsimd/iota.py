"""`nki.isa.iota`: a tile of affine constants, on the GpSimd Engine."""

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from jax import lax

from jnki.access.access import Access
from jnki.access.index import Index, IndexValue, scalar
from jnki.access.mask import as_mask
from jnki.access.ref import Ref, resolve
from jnki.dtypes import cast, int32
from jnki.errors import RuleError
from jnki.isa.instruction import Instruction
from jnki.isa.operands import store
from jnki.isa.rules import check_mask, check_on_chip, check_partitions
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target


@dataclass(frozen=True, kw_only=True)
class Iota(Instruction):
    """`dst[d] = cast(base + sum(steps[k] * d[k]))`, in wrapping int32 arithmetic.

    Attributes:
        dst: a tile in SBUF.
        expr: the affine expression, of the shape of `dst`.
    """

    name: ClassVar[str] = "iota"

    dst: Access
    expr: IndexValue

    def check(self, target: Target) -> None:
        check_on_chip(self, "dst", self.dst, psum=False)
        check_partitions(self, "dst", self.dst, target)
        if self.expr.shape != self.dst.shape:
            raise self.error(
                "iota.shape",
                "the expression does not have the shape of dst",
                given=f"expression {list(self.expr.shape)}, dst {list(self.dst.shape)}",
                allowed="equal shapes",
            )
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        value: Any = jnp.asarray(_wrapped(self.expr.base.constant))
        for symbol, coefficient in self.expr.base.terms:
            value = value + _wrapped(coefficient) * jnp.asarray(at(symbol), jnp.int32)
        for d, step in enumerate(self.expr.steps):
            if step:
                value = value + _wrapped(step) * lax.broadcasted_iota(jnp.int32, self.dst.shape, d)
        return store(memory, self.dst, cast(value, int32, self.dst.dtype), at, self.mask)


def _wrapped(number: int) -> Any:
    return jnp.int32((number + (1 << 31)) % (1 << 32) - (1 << 31))


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
def iota(memory: DeviceMemory, *, dst: Ref, expr: Any, mask: Any = None, target: Target = TRN2) -> DeviceMemory:
    """Memory with an affine expression of indices written to an SBUF tile: the functional form of `nki.isa.iota`.

    Args:
        dst: an SBUF reference; its element type is the type of the result.
        expr: an affine expression of `jnki.arange` and `jnki.mgrid`, of the shape of `dst`. Values are computed in
            32-bit integers and cast.
        mask: where false, `dst` stays as it was.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    instruction = Iota(
        dst=resolve(dst, memory.buffer),
        expr=as_expression(expr),
        mask=as_mask(mask),
        location=user_location(),
    )
    instruction.check(target)
    return instruction.execute(memory)
