"""`nki.isa.select_reduce`: elements of a tile or a vector as a predicate tile says, and the largest of them."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from jnki.access.access import Access
from jnki.access.mask import as_mask
from jnki.access.ref import Ref
from jnki.dtypes import bool_, cast, float32
from jnki.isa.constants import as_number
from jnki.isa.enums import reduce_cmd as ReduceCmd
from jnki.isa.instruction import SharedDims
from jnki.isa.operands import load, per_partition, store, tiles
from jnki.isa.operators import operator
from jnki.isa.rules import check_compute_tile, check_mask, check_vector
from jnki.isa.two_tiles import check_not_both_in_psum
from jnki.isa.vector.registers import VectorRegisters
from jnki.memory import NO_LOOPS, DeviceMemory, Loops
from jnki.memory.bits import chosen
from jnki.source import user_location
from jnki.target import TRN2, Target, takes_target

_PREDICATES = ("uint8", "int8", "uint16", "int16", "bool")
_NOT_SELECTED = ("tfloat32", "int32", "uint32")


@dataclass(frozen=True, kw_only=True)
class SelectReduce(VectorRegisters):
    """`dst[i] = cast(on_true[i])` where `predicate[i]` is not zero, else `dst[i] = cast(on_false)`; and the largest.

    The largest is of float32 values, before `dst` rounds them; `VectorRegisters` has the commands. Even an idle one
    changes the registers.

    Attributes:
        dst, predicate, on_true: `[P, F...]` in SBUF or PSUM, equally many elements; `predicate` and `on_true` are not
            both in PSUM.
        on_false: a number, taken as float32, or a `[P, 1]` tile.
        reverse_pred: whether `on_true` is taken where the predicate is zero.
    """

    name: ClassVar[str] = "select_reduce"
    shared_dims: ClassVar[SharedDims] = "all"

    dst: Access
    predicate: Access
    on_true: Access
    on_false: Access | float
    reverse_pred: bool = False

    @property
    def leaves_registers(self) -> bool:
        return True

    def check(self, target: Target) -> None:
        for operand, access in (("predicate", self.predicate), ("on_true", self.on_true), ("dst", self.dst)):
            check_compute_tile(self, operand, access, target)
        shapes = [(a.shape[0], math.prod(a.shape[1:])) for a in (self.on_true, self.predicate, self.dst)]
        if len(set(shapes)) != 1:
            raise self.error(
                "select_reduce.shape",
                "on_true, predicate and dst have different shapes",
                given=f"on_true {list(self.on_true.shape)}, predicate {list(self.predicate.shape)}, "
                f"dst {list(self.dst.shape)}",
                allowed="the same partitions and equally many elements in each",
            )
        check_not_both_in_psum(self, "predicate", "on_true")
        self._check_types(target)
        if self.reduce_cmd is ReduceCmd.idle and self.reduce_res is not None:
            raise self.error(
                "select_reduce.reduce_cmd",
                "an idle command reduces nothing, and 'reduce_res' would not be the result of it",
                given="reduce_res with reduce_cmd=idle",
                allowed="nisa.reduce_cmd.reset_reduce, or reduce to go on",
            )
        self.check_reduction(self.on_true, target)
        check_mask(self, "dst", self.dst)
        super().check(target)

    def _check_types(self, target: Target) -> None:
        if self.predicate.dtype.name not in _PREDICATES:
            raise self.error(
                "select_reduce.predicate",
                "'predicate' has the wrong element type",
                given=str(self.predicate.dtype),
                allowed=", ".join(_PREDICATES),
            )
        if self.on_true.dtype.name in _NOT_SELECTED:
            raise self.error(
                "select_reduce.on_true",
                "'on_true' has the wrong element type",
                given=str(self.on_true.dtype),
                allowed=f"any type but {', '.join(_NOT_SELECTED)}",
            )
        if isinstance(self.on_false, Access):
            check_compute_tile(self, "on_false", self.on_false, target)
            check_vector(self, "on_false", self.on_false, self.on_true)

    def execute(self, memory: DeviceMemory, at: Loops = NO_LOOPS) -> DeviceMemory:
        if self.dst.size == 0:
            return memory
        shape, rank = self.dst.shape, len(self.dst.shape)
        condition = cast(load(memory, self.predicate, at), self.predicate.dtype, bool_).reshape(shape)
        condition = ~condition if self.reverse_pred else condition
        tile = load(memory, self.on_true, at).reshape(shape)
        if isinstance(self.on_false, Access):
            other = load(memory, self.on_false, at).reshape(-1, *(1,) * (rank - 1))
            other = cast(other, self.on_false.dtype, self.dst.dtype)
        else:
            other = cast(jnp.float32(self.on_false), float32, self.dst.dtype)
        value = chosen(condition, cast(tile, self.on_true.dtype, self.dst.dtype), other)
        after = store(memory, self.dst, value, at, self.mask)
        enabled = None if self.mask is None else jnp.broadcast_to(self.mask.evaluate(shape, at), shape)
        wide = cast(tile, self.on_true.dtype, float32)
        results = jnp.where(condition, wide, per_partition(memory, self.on_false, float32, rank, at))
        return self.reduced(memory, after, results, at, enabled)


@takes_target
def select_reduce(
    memory: DeviceMemory,
    *,
    dst: Ref,
    predicate: Ref,
    on_true: Ref,
    on_false: Ref | float,
    reduce_res: Ref | None = None,
    reduce_cmd: ReduceCmd = ReduceCmd.idle,
    reduce_op: Any = "maximum",
    reverse_pred: bool = False,
    accumulator: Ref | None = None,
    mask: Any = None,
    target: Target = TRN2,
) -> DeviceMemory:
    """Memory with elements chosen by a predicate tile, and the largest: the functional form of `nki.isa.select_reduce`.

    Args:
        dst, predicate, on_true: SBUF or PSUM references with equal partitions and elements per partition.
        on_false: a number, or a `[P, 1]` reference.
        reduce_res, reduce_cmd, reduce_op, reverse_pred: as in a kernel.
        accumulator: the registers of the partitions of `on_true`, `[P, 1]` float32; needed by the command that reads
            them.
        mask: where false, nothing is written, and an element takes no part in the reduction.

    Raises:
        RuleError: the instruction breaks a rule.
    """
    other = on_false if isinstance(on_false, Ref) else float(as_number("select_reduce", on_false))
    found = tiles(
        memory,
        data=on_true,
        dst=dst,
        predicate=predicate,
        on_false=other,
        reduce_res=reduce_res,
        accumulator=accumulator,
    )
    instruction = SelectReduce(
        on_true=found.pop("data"),
        reduce_op=operator(reduce_op, "select_reduce", "reduce_op", by_name=True).name,
        reduce_cmd=reduce_cmd,
        reverse_pred=reverse_pred,
        mask=as_mask(mask),
        location=user_location(),
        **found,
    )
    instruction.check(target)
    return instruction.execute(memory)
