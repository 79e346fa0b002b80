"""`nki.isa.range_select`: elements whose index lies between two bounds, and the largest, on the Vector Engine."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jnki.access.access import Access
from jnki.access.affine import Affine
from jnki.access.index import Index, IndexValue
from jnki.access.mask import as_mask
from jnki.access.number import concrete
from jnki.access.ref import Ref
from jnki.dtypes import cast, float32
from jnki.errors import RuleError
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.operands import load, per_partition, store, tiles
from jnki.isa.operators import OPERATORS, operator
from jnki.isa.rules import check_compute_tile, check_mask, check_same_tile, check_vector, check_version
from jnki.isa.vector.registers import VectorRegisters
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import chosen
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

COMPARISONS = ("equal", "less", "less_equal", "greater", "greater_equal")
FLOAT32_MIN = float(np.finfo(np.float32).min)
# Beyond it float32 does not tell indices apart.
_MOST = 1 << 24


@dataclass(frozen=True, kw_only=True)
class RangeSelect(VectorRegisters):
    """`dst[p, i] = cast(on_true[p, i])` where both comparisons hold, else the lowest float32; and the largest.

    They are `range_start + i <comp_op0> bound0[p]` and `range_start + i <comp_op1> bound1[p]`, in float32. The largest
    is of float32 values, before `dst` rounds them; `VectorRegisters` has the commands. With an idle one `reduce_res` is
    the largest of this instruction alone.

    A mask cannot make it a smaller instruction: that would start at another index.

    Attributes:
        dst, on_true: `[P, F...]` in SBUF or PSUM, equally many elements; `on_true` of a float type.
        comp_op0, comp_op1: names of comparisons.
        bound0, bound1: `[P, 1]` tiles of float32.
        range_start: an integer, or an affine expression of loop indices.
        on_false_value: the lowest float32.
    """

    name: ClassVar[str] = "range_select"

    dst: Access
    on_true: Access
    comp_op0: str
    comp_op1: str
    bound0: Access
    bound1: Access
    range_start: IndexValue
    on_false_value: float = FLOAT32_MIN

    def check(self, target: Target) -> None:
        check_version(self, target, 3, "; nl.where, or nisa.affine_select, on all")
        for operand, access in (("on_true_tile", self.on_true), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        check_same_tile(self, self.dst, self.on_true)
        if not self.on_true.dtype.is_float:
            raise self.error(
                "range_select.on_true_tile",
                "'on_true_tile' has the wrong element type",
                given=str(self.on_true.dtype),
                allowed="a float type",
            )
        for argument, name in (("comp_op0", self.comp_op0), ("comp_op1", self.comp_op1)):
            if name not in COMPARISONS:
                raise self.error(
                    f"range_select.{argument}",
                    f"'{argument}' is none of the comparisons",
                    given=name,
                    allowed=", ".join(COMPARISONS),
                )
        for argument, bound in (("bound0", self.bound0), ("bound1", self.bound1)):
            check_compute_tile(self, argument, bound, target)
            check_vector(self, argument, bound, self.on_true)
            if bound.dtype != float32:
                raise self.error(
                    f"range_select.{argument}",
                    f"'{argument}' has the wrong element type",
                    given=str(bound.dtype),
                    allowed="float32",
                )
        if self.on_false_value != FLOAT32_MIN:
            raise self.error(
                "range_select.on_false_value",
                "elements that are not selected get the lowest float32",
                given=str(self.on_false_value),
                allowed="nl.fp32.min",
            )
        low, high = self.range_start.base.bounds()
        last = high + math.prod(self.on_true.shape[1:]) - 1
        if low < -_MOST or last > _MOST:
            raise self.error(
                "range_select.range_start",
                "float32 does not tell such indices apart",
                given=f"indices {low} to {last}",
                allowed="indices within 2^24",
            )
        self.check_reduction(self.on_true, target)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        shape, rank = self.dst.shape, len(self.dst.shape)
        tile = load(memory, self.on_true, at).reshape(shape)
        condition = self._selected(memory, rank, at)
        lowest = jnp.float32(FLOAT32_MIN)
        narrow = cast(tile, self.on_true.dtype, self.dst.dtype)
        value = chosen(condition, narrow, cast(lowest, float32, self.dst.dtype))
        after = store(memory, self.dst, value, at, self.mask)
        enabled = None if self.mask is None else jnp.broadcast_to(self.mask.evaluate(shape, at), shape)
        results = jnp.where(condition, cast(tile, self.on_true.dtype, float32), lowest)
        return self.reduced(memory, after, results, at, enabled)

    def _selected(self, memory: DeviceMemory, rank: int, at: Loops) -> jax.Array:
        """Where both comparisons hold, in the shape of `dst`."""
        start = self.range_start.base.evaluate(lambda symbol: jnp.asarray(at(symbol), jnp.int32))
        count = math.prod(self.dst.shape[1:])
        index = (start + jnp.arange(count, dtype=jnp.int32)).astype(jnp.float32).reshape(1, *self.dst.shape[1:])
        tests = (
            OPERATORS[name].function(index, per_partition(memory, bound, float32, rank, at)) != 0
            for name, bound in ((self.comp_op0, self.bound0), (self.comp_op1, self.bound1))
        )
        first, second = tests
        return first & second


def as_float32(value: Any) -> float:
    """`on_false_value` as the float32 nearest to it."""
    with np.errstate(over="ignore"):
        return float(np.float32(as_number("range_select", value)))


def as_start(value: Any) -> IndexValue:
    """`range_start` as an integer that may depend on loop indices.

    Raises:
        RuleError: `range_select.range_start`, for anything else.
    """
    if isinstance(value, Index) and value.ndim == 0:
        return value.value
    number = concrete(value)
    if isinstance(number, (int, np.integer)) and not isinstance(number, bool):
        return IndexValue(Affine(int(number)), (), ())
    raise RuleError(
        "range_select.range_start",
        "range_select: 'range_start' must be an integer that is known before the kernel runs",
        given=f"{type(number).__name__} {number}"[:120],
        allowed="an integer, or sums of loop indices",
    )


@takes_target
def range_select(
    memory: DeviceMemory,
    *,
    dst: Ref,
    on_true_tile: Ref,
    comp_op0: Any,
    comp_op1: Any,
    bound0: Ref,
    bound1: Ref,
    reduce_cmd: ReduceCmd = ReduceCmd.idle,
    reduce_res: Ref | None = None,
    reduce_op: Any = "maximum",
    range_start: int = 0,
    on_false_value: float = FLOAT32_MIN,
    accumulator: Ref | None = None,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with elements chosen by their index, and the largest: the functional form of `nki.isa.range_select`.

    Args:
        dst, on_true_tile: SBUF or PSUM references with equal partitions and elements per partition.
        comp_op0, comp_op1: comparisons, by name or as NumPy functions.
        bound0, bound1: `[P, 1]` references of float32.
        reduce_cmd, reduce_res, reduce_op, range_start, on_false_value: as in a kernel.
        accumulator: the registers of the partitions of `on_true_tile`, `[P, 1]` float32; needed by the command that
            reads them.
        mask: where false, nothing is written, and an element takes no part in the reduction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    found = tiles(
        memory,
        data=on_true_tile,
        dst=dst,
        bound0=bound0,
        bound1=bound1,
        reduce_res=reduce_res,
        accumulator=accumulator,
    )
    instruction = RangeSelect(
        on_true=found.pop("data"),
        comp_op0=operator(comp_op0, "range_select", "comp_op0", by_name=True).name,
        comp_op1=operator(comp_op1, "range_select", "comp_op1", by_name=True).name,
        reduce_op=operator(reduce_op, "range_select", "reduce_op", by_name=True).name,
        reduce_cmd=reduce_cmd,
        range_start=as_start(range_start),
        on_false_value=as_float32(on_false_value),
        mask=as_mask(mask),
        location=user_location(),
        **found,
    )
    instruction.check(target)
    return instruction.execute(memory)
